using Carrier.Core;

namespace Carrier.Nat.PortMapping;

/// <summary>How far one protocol is with the gateway.</summary>
internal enum MappingState
{
    /// <summary>Not asked yet.</summary>
    Idle,

    /// <summary>Asked whether the gateway speaks it; nothing is changed there.</summary>
    Probing,

    /// <summary>The gateway speaks it.</summary>
    Offered,

    /// <summary>Asked for a mapping, or to prolong it.</summary>
    Mapping,

    Mapped,

    /// <summary>The gateway does not speak it, refused, or is itself behind a NAT.</summary>
    Refused,
}

/// <summary>One way of asking a gateway for a mapping of one UDP port. Told bytes and time by <see cref="PortMappingMachine"/>, which decides what to ask when.</summary>
internal abstract class MappingProtocol(GatewayRoute route)
{
    /// <summary>What is asked for: the recommendation of RFC 6886 §3.3.</summary>
    public static TimeSpan RequestedLifetime => TimeSpan.FromHours(2);

    /// <summary>A mapping shorter than this costs more than it brings (RFC 6887 §11.2.1 allows no renewal within four seconds).</summary>
    public static TimeSpan LeastLifetime => TimeSpan.FromSeconds(8);

    /// <summary>However long a gateway grants, it is asked again within a day (RFC 6887 §15).</summary>
    public static TimeSpan MostLifetime => TimeSpan.FromHours(24);

    public MappingState State { get; protected set; }

    /// <summary>Where others reach the port, while <see cref="MappingState.Mapped"/> or being prolonged.</summary>
    public Endpoint External { get; private set; }

    /// <summary>How long the gateway keeps the mapping, from its answer on.</summary>
    public TimeSpan Lifetime { get; private set; }

    /// <summary>Whether the gateway's own external address is private, so that a mapping there would lead nowhere.</summary>
    public bool IsDoubleNat { get; protected set; }

    /// <summary>Whether the gateway restarted and its mappings are gone.</summary>
    public bool HasForgotten { get; protected set; }

    public abstract PortMappingKind Kind { get; }

    /// <summary>When something is to be sent again.</summary>
    public abstract Instant NextDeadline { get; }

    protected GatewayRoute Route => route;

    /// <summary>Asks whether the gateway speaks this protocol, at most so many times.</summary>
    public abstract void Probe(Instant now, int sends);

    /// <summary>Asks for the mapping, or for the same one again.</summary>
    public abstract void Map(Instant now);

    /// <summary>Asks something cheap from whose answer a restart of the gateway shows.</summary>
    public abstract void Check(Instant now);

    /// <summary>Asks to delete whatever was mapped, and is done with it when <see cref="MappingState.Idle"/>.</summary>
    public abstract void Release(Instant now);

    /// <summary>Sends nothing more for what was asked last.</summary>
    public abstract void Abandon();

    public abstract bool TryTransmit(Instant now, Span<byte> buffer, out Transmit transmit);

    /// <summary>Takes an answer to a mapping request; one that leads nowhere is given back.</summary>
    protected void Take(Instant now, Endpoint external, TimeSpan lifetime)
    {
        (External, Lifetime) = (external, lifetime < MostLifetime ? lifetime : MostLifetime);
        HasForgotten = false;
        if (external.Scope == AddressScope.Global && external.Port != 0 && lifetime >= LeastLifetime)
        {
            State = MappingState.Mapped;
            return;
        }

        IsDoubleNat = external.Scope != AddressScope.Global;
        Release(now);
        Refuse();
    }

    protected void Refuse()
    {
        State = MappingState.Refused;
        External = default;
    }
}
