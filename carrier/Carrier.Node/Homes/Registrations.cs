using System.Diagnostics.CodeAnalysis;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Node.Relay;

namespace Carrier.Node.Homes;

/// <summary>One device that a home keeps reachable.</summary>
internal sealed class Registration(ProvenDevice device, Endpoint endpoint)
{
    public ProvenDevice Device { get; } = device;

    public RelayClient Client { get; } = new(endpoint);

    /// <summary>What may still be looked up and put for it.</summary>
    internal TokenBucket Proxied;

    public Instant Expiry { get; set; }

    /// <summary>Lookups and puts under way for it.</summary>
    public int ProxiedUnderWay { get; set; }

    /// <summary>The knock it asked for last (<see cref="Serving.DelayedKnocks"/>); null when there is none to come.</summary>
    public byte[]? KnockTransaction { get; set; }

    /// <summary>The time in the device's newest proof, by its own clock.</summary>
    public UnixTime SignedAt { get; set; }
}

/// <summary>A home's devices by exchange key, in order of expiry, within their quotas.</summary>
internal sealed class Registrations(HomeLimits limits)
{
    private readonly Dictionary<PublicKey, LinkedListNode<Registration>> _byKey = [];
    private readonly LinkedList<Registration> _byExpiry = new(); // one lease length, so the order of renewal is the order of expiry
    private readonly Quota<Endpoint> _perSourceUnit = new(limits.MaxPerSourceUnit);
    private readonly Quota<UInt128> _perOwner = new(limits.MaxPerOwner);

    public int Count => _byKey.Count;

    public Instant NextExpiry => _byExpiry.First?.Value.Expiry ?? Instant.Never;

    public bool TryFind(PublicKey device, [MaybeNullWhen(false)] out Registration registration)
    {
        bool found = _byKey.TryGetValue(device, out LinkedListNode<Registration>? node);
        registration = node?.Value;
        return found;
    }

    /// <summary>Adds a device, or renews it from where it is now.</summary>
    public RegisterStatus Put(in ProvenDevice device, Endpoint remote, Instant expiry, UnixTime signedAt)
    {
        bool known = _byKey.TryGetValue(device.ExchangeKey, out LinkedListNode<Registration>? node);
        if (!known && Count >= limits.MaxRegistrations)
        {
            return RegisterStatus.Full;
        }

        Endpoint unit = remote.SourceUnit;
        bool moves = !known || node!.Value.Client.Endpoint.SourceUnit != unit;
        if (moves && !_perSourceUnit.TryTake(unit))
        {
            return RegisterStatus.OverQuota;
        }

        if (known)
        {
            if (moves)
            {
                _perSourceUnit.Release(node!.Value.Client.Endpoint.SourceUnit);
            }

            _byExpiry.Remove(node!);
        }
        else if (_perOwner.TryTake(device.Owner))
        {
            node = new(new(device, remote));
            _byKey.Add(device.ExchangeKey, node);
        }
        else
        {
            _perSourceUnit.Release(unit);
            return RegisterStatus.OverQuota;
        }

        node!.Value.Client.Endpoint = remote;
        node.Value.Expiry = expiry;
        node.Value.SignedAt = signedAt;
        _byExpiry.AddLast(node);
        return RegisterStatus.Done;
    }

    public void Remove(Registration registration)
    {
        if (_byKey.Remove(registration.Device.ExchangeKey, out LinkedListNode<Registration>? node))
        {
            _byExpiry.Remove(node);
            _perSourceUnit.Release(registration.Client.Endpoint.SourceUnit);
            _perOwner.Release(registration.Device.Owner);
        }
    }

    public bool TryTakeExpired(Instant now, [MaybeNullWhen(false)] out Registration registration)
    {
        registration = _byExpiry.First?.Value;
        if (registration is null || registration.Expiry > now)
        {
            return false;
        }

        Remove(registration);
        return true;
    }
}
