using Carrier.Core;

namespace Carrier.Node.Dialing;

/// <summary>When endpoints last answered a dial, at most <paramref name="capacity"/> of them; the one noted first gives way.</summary>
internal sealed class RecentAnswers(int capacity)
{
    private readonly Dictionary<Endpoint, Instant> _times = [];
    private readonly Queue<Endpoint> _byAge = new();

    public bool Contains(Endpoint endpoint) => _times.ContainsKey(endpoint);

    public bool IsWithin(Instant now, Endpoint endpoint, TimeSpan time) => _times.TryGetValue(endpoint, out Instant at) && now - at < time;

    public void Add(Instant now, Endpoint endpoint)
    {
        if (!_times.ContainsKey(endpoint))
        {
            _byAge.Enqueue(endpoint);
        }

        _times[endpoint] = now;
        if (_byAge.Count > capacity)
        {
            _ = _times.Remove(_byAge.Dequeue());
        }
    }
}
