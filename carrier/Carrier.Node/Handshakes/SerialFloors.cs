using Carrier.Core.Identity;

namespace Carrier.Node.Handshakes;

/// <summary>The highest revocation seen of each TrustID: delegations with a lower serial are dead to this node.</summary>
internal sealed class SerialFloors
{
    /// <summary>Owners remembered. The oldest gives way; a lookup brings it back.</summary>
    public const int MaxOwners = 16_384;

    private readonly Dictionary<TrustId, ulong> _floors = [];
    private readonly Queue<TrustId> _byAge = new();

    public ulong Of(TrustId owner) => _floors.GetValueOrDefault(owner);

    /// <summary>Raises a floor. The caller has verified the owner's signature.</summary>
    public void Raise(TrustId owner, ulong floor)
    {
        if (_floors.TryGetValue(owner, out ulong known))
        {
            _floors[owner] = Math.Max(known, floor);
            return;
        }

        if (_floors.Count >= MaxOwners)
        {
            _ = _floors.Remove(_byAge.Dequeue());
        }

        _floors.Add(owner, floor);
        _byAge.Enqueue(owner);
    }
}
