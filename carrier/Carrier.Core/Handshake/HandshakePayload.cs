using System.Buffers.Binary;
using Carrier.Core.Crypto;
using Carrier.Core.Wire;

namespace Carrier.Core.Handshake;

/// <summary>What each side tells the other inside the encrypted handshake. A view: the spans belong to whoever gave or decrypted them.</summary>
/// <remarks>
/// A CBOR map, keys ascending, unknown keys skipped:
/// <code>
/// 1  bytes     delegation, opaque here; whoever reads it checks that it names the static key of the handshake
/// 2  text      protocol name                        (initiation only)
/// 3  bytes  8  sender's connection id
/// 4  bytes 16  sender's stateless reset token
/// 5  bytes     transport parameters, opaque here
/// 6  bytes     cipher suites, one byte each: the initiator's in its order, the responder's one choice
/// 7  bytes     candidates, opaque here
/// 8  bytes     application id                       (optional, initiation only)
/// 9  bytes     NAT description, opaque here         (optional)
/// </code>
/// </remarks>
public readonly ref struct HandshakePayload
{
    public const int MaxDelegationBytes = 512;
    public const int MaxProtocolBytes = 64;
    public const int MaxTransportParametersBytes = 256;
    public const int MaxCipherSuites = 8;

    /// <summary>Room for sixteen endpoints.</summary>
    public const int MaxCandidatesBytes = 384;

    public const int MaxApplicationIdBytes = 32;
    public const int ResetTokenBytes = 16;

    /// <summary>Room for three times what is said today.</summary>
    public const int MaxNatBytes = 32;

    private const int ConnectionIdBytes = sizeof(ulong);

    /// <summary>A delegation in its own encoding; never validated here.</summary>
    public ReadOnlySpan<byte> Delegation { get; init; }

    /// <summary>What the initiator wants to speak. Null in a response.</summary>
    public string? Protocol { get; init; }

    /// <summary>The id the sender wants in the packets it receives.</summary>
    public ulong ConnectionId { get; init; }

    public ReadOnlySpan<byte> ResetToken { get; init; }

    public ReadOnlySpan<byte> TransportParameters { get; init; }

    public ReadOnlySpan<CipherSuite> CipherSuites { get; init; }

    public ReadOnlySpan<byte> Candidates { get; init; }

    /// <summary>Empty when the session is of no application.</summary>
    public ReadOnlySpan<byte> ApplicationId { get; init; }

    /// <summary>What the sender knows of the NAT before it; empty when nothing.</summary>
    public ReadOnlySpan<byte> Nat { get; init; }

    /// <summary>Writes the map; false when it does not fit.</summary>
    public bool TryWrite(Span<byte> destination, out int written)
    {
        CborWriter writer = new(destination);
        writer.WriteMap(6 + (Protocol is null ? 0 : 1) + (ApplicationId.IsEmpty ? 0 : 1) + (Nat.IsEmpty ? 0 : 1));
        writer.WriteUInt(1);
        writer.WriteBytes(Delegation);
        if (Protocol is not null)
        {
            writer.WriteUInt(2);
            writer.WriteText(Protocol);
        }

        Span<byte> connectionId = stackalloc byte[ConnectionIdBytes];
        BinaryPrimitives.WriteUInt64BigEndian(connectionId, ConnectionId);
        writer.WriteUInt(3);
        writer.WriteBytes(connectionId);
        writer.WriteUInt(4);
        writer.WriteBytes(ResetToken);
        writer.WriteUInt(5);
        writer.WriteBytes(TransportParameters);
        writer.WriteUInt(6);
        writer.WriteBytes(System.Runtime.InteropServices.MemoryMarshal.AsBytes(CipherSuites));
        writer.WriteUInt(7);
        writer.WriteBytes(Candidates);
        if (!ApplicationId.IsEmpty)
        {
            writer.WriteUInt(8);
            writer.WriteBytes(ApplicationId);
        }

        if (!Nat.IsEmpty)
        {
            writer.WriteUInt(9);
            writer.WriteBytes(Nat);
        }

        written = writer.Encoded.Length;
        return !writer.Overflowed;
    }

    /// <summary>Reads a map as a view of <paramref name="source"/>. Missing or oversized fields are false; unknown suites are kept for the caller to ignore.</summary>
    public static bool TryRead(ReadOnlySpan<byte> source, out HandshakePayload payload)
    {
        payload = default;
        CborReader reader = new(source);
        if (!reader.TryReadMap(out int pairs))
        {
            return false;
        }

        Fields fields = default;
        int key = -1;
        for (int i = 0; i < pairs; i++)
        {
            if (!reader.TryReadKey(ref key) || !fields.TryReadField(key, ref reader))
            {
                return false;
            }
        }

        payload = fields.ToPayload();
        return reader.AtEnd && fields.HasAllRequired;
    }

    private ref struct Fields
    {
        private const int Required = (1 << 1) | (1 << 3) | (1 << 4) | (1 << 5) | (1 << 6) | (1 << 7);

        private ReadOnlySpan<byte> _delegation;
        private ReadOnlySpan<byte> _connectionId;
        private ReadOnlySpan<byte> _resetToken;
        private ReadOnlySpan<byte> _transportParameters;
        private ReadOnlySpan<byte> _suites;
        private ReadOnlySpan<byte> _candidates;
        private ReadOnlySpan<byte> _applicationId;
        private ReadOnlySpan<byte> _nat;
        private string? _protocol;
        private int _seen;

        public readonly bool HasAllRequired => (_seen & Required) == Required;

        public bool TryReadField(int key, scoped ref CborReader reader)
        {
            _seen |= key < 10 ? 1 << key : 0;
            return key switch
            {
                1 => TryReadAtMost(ref reader, MaxDelegationBytes, out _delegation),
                2 => reader.TryReadText(MaxProtocolBytes, out _protocol),
                3 => TryReadExactly(ref reader, ConnectionIdBytes, out _connectionId),
                4 => TryReadExactly(ref reader, ResetTokenBytes, out _resetToken),
                5 => TryReadAtMost(ref reader, MaxTransportParametersBytes, out _transportParameters),
                6 => TryReadAtMost(ref reader, MaxCipherSuites, out _suites) && !_suites.IsEmpty,
                7 => TryReadAtMost(ref reader, MaxCandidatesBytes, out _candidates),
                8 => TryReadAtMost(ref reader, MaxApplicationIdBytes, out _applicationId) && !_applicationId.IsEmpty,
                9 => TryReadAtMost(ref reader, MaxNatBytes, out _nat) && !_nat.IsEmpty,
                _ => reader.TrySkip(),
            };
        }

        public readonly HandshakePayload ToPayload() => !HasAllRequired ? default : new()
        {
            Delegation = _delegation,
            Protocol = _protocol,
            ConnectionId = BinaryPrimitives.ReadUInt64BigEndian(_connectionId),
            ResetToken = _resetToken,
            TransportParameters = _transportParameters,
            CipherSuites = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, CipherSuite>(_suites),
            Candidates = _candidates,
            ApplicationId = _applicationId,
            Nat = _nat,
        };

        private static bool TryReadExactly(scoped ref CborReader reader, int bytes, out ReadOnlySpan<byte> value) =>
            reader.TryReadBytes(bytes, out value);

        private static bool TryReadAtMost(scoped ref CborReader reader, int maxBytes, out ReadOnlySpan<byte> value) =>
            reader.TryReadBytes(out value) && value.Length <= maxBytes;
    }
}
