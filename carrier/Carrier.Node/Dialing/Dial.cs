using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Core.Session.Recovery;
using Carrier.Node.Sessions;

namespace Carrier.Node.Dialing;

/// <summary>One wish to reach a TrustID, until a session stands or nothing is left to try.</summary>
internal sealed class Dial(ulong id, TrustId peer, string protocol, Instant deadline) : Deadlined
{
    public ulong Id { get; } = id;

    public TrustId Peer { get; } = peer;

    public string Protocol { get; } = protocol;

    public Instant EndsAt { get; } = deadline;

    public CongestionControl Congestion { get; init; }

    /// <summary>Until when somebody on the same link may still speak up.</summary>
    public Instant LinkUntil { get; init; }

    public List<DialAttempt> Attempts { get; } = [];

    /// <summary>Whether the network still looks for the peer's records.</summary>
    public bool IsResolving { get; set; }

    /// <summary>Whether the network answered the lookup at all.</summary>
    public bool NetworkAnswered { get; set; }

    /// <summary>Whether a device was known whose delegation did not hold.</summary>
    public bool SawUntrusted { get; set; }
}
