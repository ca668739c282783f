using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Carrier.Core;

namespace Carrier.Nat;

/// <summary>The two class bits of a STUN message type (RFC 8489 §5).</summary>
public enum StunClass
{
    Request,
    Indication,
    Success,
    Error,
}

/// <summary>A STUN message (RFC 8489), parsed as views of the received bytes.</summary>
/// <remarks>
/// <code>
/// 0                   1                   2                   3
/// 0 0|     type (14)     |         length (16)                   |
/// |                 magic cookie 0x2112A442                      |
/// |                 transaction id (96)                          |
/// | attribute: type (16) ‖ length (16) ‖ value ‖ pad to 4        | …
/// </code>
/// The length counts what follows the header and must be exactly what was received. A FINGERPRINT is verified when present and must be
/// last. The first occurrence of an attribute counts; what follows a MESSAGE-INTEGRITY is ignored (RFC 8489 §14.5). A message without
/// the magic cookie (RFC 3489) is refused.
/// </remarks>
public readonly ref struct StunMessage
{
    public const int HeaderBytes = 20;
    public const int TransactionIdBytes = 12;
    public const uint MagicCookie = 0x2112_A442;

    /// <summary>The only method served and sent.</summary>
    public const ushort BindingMethod = 1;

    /// <summary>The longest message looked at: a path's payload. Longer ones are not ours.</summary>
    public const int MaxBytes = 1500;

    /// <summary>Unknown comprehension-required attributes remembered for the 420 answer; a longer list is cut.</summary>
    public const int MaxUnknown = 8;

    private readonly UnknownTypes _unknown;
    private readonly int _unknownCount;

    private StunMessage(ReadOnlySpan<byte> message, StunAttributeScan scan)
    {
        ushort type = BinaryPrimitives.ReadUInt16BigEndian(message);
        Class = (StunClass)(((type >> 7) & 2) | ((type >> 4) & 1));
        Method = (ushort)((type & 0xF) | ((type >> 1) & 0x70) | ((type >> 2) & 0xF80));
        TransactionId = message.Slice(8, TransactionIdBytes);
        MappedAddress = scan.XorMapped.IsNone ? scan.Mapped : scan.XorMapped;
        OtherAddress = scan.Other;
        ResponseOrigin = scan.Origin;
        ErrorCode = scan.ErrorCode;
        HasFingerprint = scan.HasFingerprint;
        Software = scan.Software;
        _unknown = scan.Unknown;
        _unknownCount = scan.UnknownCount;
    }

    public StunClass Class { get; }

    public ushort Method { get; }

    public ReadOnlySpan<byte> TransactionId { get; }

    /// <summary>XOR-MAPPED-ADDRESS, else MAPPED-ADDRESS, else none.</summary>
    public Endpoint MappedAddress { get; }

    /// <summary>RFC 5780 §7.4: where the server's other address is, or none.</summary>
    public Endpoint OtherAddress { get; }

    /// <summary>RFC 5780 §7.3: where the answer was sent from, or none.</summary>
    public Endpoint ResponseOrigin { get; }

    /// <summary>300–699, or zero when there is none.</summary>
    public int ErrorCode { get; }

    public bool HasFingerprint { get; }

    /// <summary>SOFTWARE, unvalidated UTF-8, perhaps empty. Not for showing without encoding.</summary>
    public ReadOnlySpan<byte> Software { get; }

    /// <summary>Comprehension-required attributes we do not understand, at most <see cref="MaxUnknown"/>.</summary>
    [System.Diagnostics.CodeAnalysis.UnscopedRef]
    public ReadOnlySpan<ushort> UnknownRequired => ((ReadOnlySpan<ushort>)_unknown)[.._unknownCount];

    public bool IsBinding => Method == BindingMethod;

    public static bool TryParse(ReadOnlySpan<byte> datagram, out StunMessage message)
    {
        message = default;
        if (datagram.Length is < HeaderBytes or > MaxBytes
            || datagram[0] > 0x3F
            || BinaryPrimitives.ReadUInt16BigEndian(datagram[2..]) != datagram.Length - HeaderBytes
            || BinaryPrimitives.ReadUInt32BigEndian(datagram[4..]) != MagicCookie)
        {
            return false;
        }

        StunAttributeScan scan = default;
        if (!scan.TryRead(datagram))
        {
            return false;
        }

        message = new(datagram, scan);
        return true;
    }

    /// <summary>Writes a Binding request of 20 bytes, or 28 with FINGERPRINT; returns its length.</summary>
    public static int WriteBindingRequest(Span<byte> destination, ReadOnlySpan<byte> transactionId, bool fingerprint = false)
    {
        StunWriter writer = new(destination, StunClass.Request, BindingMethod, transactionId);
        if (fingerprint)
        {
            writer.WriteFingerprint();
        }

        return writer.Overflowed ? 0 : writer.Written;
    }

    /// <summary>Writes a Binding success with XOR-MAPPED-ADDRESS: 32 bytes for IPv4, 44 for IPv6; returns its length.</summary>
    public static int WriteBindingSuccess(Span<byte> destination, ReadOnlySpan<byte> transactionId, Endpoint mapped)
    {
        StunWriter writer = new(destination, StunClass.Success, BindingMethod, transactionId);
        writer.WriteXorMappedAddress(mapped);
        return writer.Overflowed ? 0 : writer.Written;
    }

    [InlineArray(MaxUnknown)]
    internal struct UnknownTypes
    {
        private ushort _first;
    }
}
