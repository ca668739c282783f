using Carrier.Core;

namespace Carrier.Node.Addresses;

/// <summary>Homes of peers that only a tunnel would lead to, while UDP is blocked: the shell opens one, and who waits for it goes on when it stands.</summary>
/// <remarks>A peer's record may name any address, so connections are few whoever names them: to one address every <see cref="Patience"/>, to all together by <see cref="Rate"/>.</remarks>
internal sealed class WantedTunnels(DropCounters drops)
{
    private readonly Dictionary<Endpoint, Instant> _askedAt = [];
    private readonly Queue<Endpoint> _asked = new();
    private TokenBucket _budget;

    /// <summary>How long a tunnel may take to stand: the round trips of TCP, TLS and the WebSocket, once lost.</summary>
    public static TimeSpan Patience => TimeSpan.FromSeconds(4);

    /// <summary>Two peers with three homes each at once, then one a little less often than every three seconds.</summary>
    public static TokenRate Rate => new(0.3, 6);

    /// <summary>Asks for a tunnel; false when there were too many. One asked for lately is on its way.</summary>
    public bool TryAsk(Instant now, Endpoint home)
    {
        foreach (Endpoint old in _askedAt.Where(asked => now - asked.Value >= Patience).Select(asked => asked.Key).ToArray())
        {
            _ = _askedAt.Remove(old);
        }

        if (_askedAt.ContainsKey(home))
        {
            return true;
        }

        if (!_budget.TrySpend(now, Rate))
        {
            drops.Count(DropReason.OverBudget);
            return false;
        }

        _askedAt.Add(home, now);
        _asked.Enqueue(home);
        return true;
    }

    /// <summary>Takes the next one for the shell to open.</summary>
    public bool TryTake(out Endpoint home) => _asked.TryDequeue(out home);
}
