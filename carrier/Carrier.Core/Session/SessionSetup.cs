using Carrier.Core.Crypto;
using Carrier.Core.Session.Buffers;

namespace Carrier.Core.Session;

/// <summary>All a session begins with: what the handshake agreed on, and what its node lends it.</summary>
public readonly ref struct SessionSetup
{
    public required SessionOptions Options { get; init; }

    public required CipherSuite Suite { get; init; }

    /// <summary>The secret of what we send, <see cref="PacketCipher.SecretBytes"/>. Both are copied; the originals stay the caller's to erase.</summary>
    public required ReadOnlySpan<byte> SendSecret { get; init; }

    /// <summary>The secret of what we receive.</summary>
    public required ReadOnlySpan<byte> ReceiveSecret { get; init; }

    public required SessionRole Role { get; init; }

    /// <summary>What we told the peer.</summary>
    public required TransportParameters Local { get; init; }

    /// <summary>What the peer told us.</summary>
    public required TransportParameters Remote { get; init; }

    /// <summary>The connection id we chose: the node already routes it here.</summary>
    public required ConnectionId LocalId { get; init; }

    /// <summary>The connection id the peer chose.</summary>
    public required ConnectionId RemoteId { get; init; }

    /// <summary>The peer's reset token for <see cref="RemoteId"/>.</summary>
    public required ResetToken RemoteResetToken { get; init; }

    /// <summary>The node's key that reset tokens of our own ids derive from (<see cref="ResetToken.Derive"/>).</summary>
    public required ReadOnlySpan<byte> ResetKey { get; init; }

    /// <summary>The path the handshake took.</summary>
    public required NetworkPath Path { get; init; }

    public required RandomSource Random { get; init; }

    public required SlabPool Pool { get; init; }

    public required DropCounters Drops { get; init; }
}
