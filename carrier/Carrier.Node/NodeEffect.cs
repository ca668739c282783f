using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Core.Session;
using Carrier.Node.Dialing;
using Carrier.Node.Peers;
using Carrier.Node.Sessions;

namespace Carrier.Node;

public enum NodeEffectKind
{
    /// <summary>The node is part of the network: it found peers and, unless it serves itself, a home; its record is stored.</summary>
    Ready,

    /// <summary>The dial <see cref="NodeEffect.Operation"/> became <see cref="NodeEffect.Session"/>.</summary>
    Dialed,

    /// <summary>The dial <see cref="NodeEffect.Operation"/> ended without a session, for <see cref="NodeEffect.Failure"/>.</summary>
    DialFailed,

    /// <summary>A peer opened <see cref="NodeEffect.Session"/> for a protocol this node listens to.</summary>
    Incoming,

    /// <summary>Something happened in <see cref="NodeEffect.Session"/>: see <see cref="NodeEffect.InSession"/>.</summary>
    Session,

    /// <summary>The question <see cref="NodeEffect.Operation"/> for a peer's devices was answered: <see cref="NodeEffect.Devices"/>, perhaps none.</summary>
    Resolved,

    /// <summary>A stranger's or peer's handshake was refused, for <see cref="NodeEffect.Refusal"/>; the other side hears nothing.</summary>
    HandshakeRefused,

    /// <summary>Our addresses or homes changed.</summary>
    AddressesChanged,

    /// <summary>Nothing more is sent from or awaited at the local socket <see cref="NodeEffect.Socket"/>: close it.</summary>
    CloseSocket,

    /// <summary>A peer's home <see cref="NodeEffect.Remote"/> is out of reach by UDP: open a tunnel to it, if it serves any.</summary>
    OpenTunnel,
}

/// <summary>Something the shell must tell the application. Which members mean something, the kind says.</summary>
public readonly record struct NodeEffect(NodeEffectKind Kind)
{
    public ulong Operation { get; init; }

    public NodeSession? Session { get; init; }

    public ushort Socket { get; init; }

    public Endpoint Remote { get; init; }

    public SessionEffect InSession { get; init; }

    public DialFailure Failure { get; init; }

    public DelegationVerdict Refusal { get; init; }

    public IReadOnlyList<PeerDevice>? Devices { get; init; }
}
