using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Core.Session;
using Carrier.Nat;
using Carrier.Node.Peers;

namespace Carrier.Node.Sessions;

/// <summary>One session of a node: the machine that carries it, who is at the other end and what they came to speak.</summary>
/// <remarks>After touching <see cref="Machine"/> the caller says so with <c>NodeMachine.Touch</c>, so that deadlines and sending follow.</remarks>
public sealed class NodeSession : Deadlined
{
    internal NodeSession(ulong id, SessionMachine machine, TrustId peer, string protocol, bool isInitiator)
    {
        Id = id;
        Machine = machine;
        Peer = peer;
        Protocol = protocol;
        IsInitiator = isInitiator;
    }

    /// <summary>A number of this node's own, never reused in a run.</summary>
    public ulong Id { get; }

    public SessionMachine Machine { get; }

    /// <summary>Proven in the handshake.</summary>
    public TrustId Peer { get; }

    public string Protocol { get; }

    public bool IsInitiator { get; }

    /// <summary>What the peer told of the NAT before it.</summary>
    public NatDescription RemoteNat { get; internal set; }

    /// <summary>The device dialled, with its homes as last known; null where the peer dialled us.</summary>
    internal PeerDevice? Device { get; set; }

    /// <summary>When homes may be asked again to lead a silent session to its peer.</summary>
    internal Instant ReconnectAt { get; set; }

    /// <summary>Whether a lookup for the peer's homes is under way.</summary>
    internal bool IsSought { get; set; }

    /// <summary>Whether the peer told of its NAT in the handshake: it then understands a call to punch.</summary>
    internal bool TellsNat { get; set; }

    /// <summary>What the peer named that was out of our reach, of a family our network lacked: tried when we are on another. Null where there was none.</summary>
    internal List<Candidate>? OutOfReach { get; set; }

    /// <summary>The first global IPv4 endpoint the peer named; none when it named none.</summary>
    internal Endpoint RemoteIPv4 { get; set; }

    /// <summary>Whether the application knows of it. A responder's session surfaces with the first packet that only the true initiator can send.</summary>
    public bool IsSurfaced { get; internal set; }

    /// <summary>What the shell hangs on it.</summary>
    public object? Owner { get; set; }

    internal bool IsQueuedToSend { get; set; }

    internal bool IsHeard { get; set; }

    internal bool IsRemoved { get; set; }

    /// <summary>A session is over twice, when it begins to close and when that is done; the application is told once.</summary>
    internal bool IsClosedTold { get; set; }

    internal List<ConnectionId> LocalIds { get; } = [];

    /// <summary>The id of the peer's that a stateless reset would name, as far as the table knows.</summary>
    internal ConnectionId PeerId { get; set; }
}
