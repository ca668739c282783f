using System.Buffers.Binary;
using Carrier.Core;

namespace Carrier.Nat;

/// <summary>Writes one STUN message into a caller's span; padding is zero and the header's length follows each attribute.</summary>
/// <remarks>Overflow is remembered, not thrown: check <see cref="Overflowed"/> once at the end. FINGERPRINT, if any, is written last.</remarks>
internal ref struct StunWriter
{
    private readonly Span<byte> _destination;

    public StunWriter(Span<byte> destination, StunClass @class, ushort method, scoped ReadOnlySpan<byte> transactionId)
    {
        _destination = destination;
        if (destination.Length < StunMessage.HeaderBytes)
        {
            Overflowed = true;
            return;
        }

        int classBits = (((int)@class & 2) << 7) | (((int)@class & 1) << 4);
        int methodBits = (method & 0xF) | ((method & 0x70) << 1) | ((method & 0xF80) << 2);
        BinaryPrimitives.WriteUInt16BigEndian(destination, (ushort)(classBits | methodBits));
        BinaryPrimitives.WriteUInt16BigEndian(destination[2..], 0);
        BinaryPrimitives.WriteUInt32BigEndian(destination[4..], StunMessage.MagicCookie);
        transactionId[..StunMessage.TransactionIdBytes].CopyTo(destination[8..]);
        Written = StunMessage.HeaderBytes;
    }

    public int Written { get; private set; }

    public bool Overflowed { get; private set; }

    /// <summary>Adds XOR-MAPPED-ADDRESS: 12 bytes for IPv4, 24 for IPv6.</summary>
    public void WriteXorMappedAddress(Endpoint endpoint)
    {
        Span<byte> value = stackalloc byte[20];
        int length = WriteAddress(endpoint, value);
        BinaryPrimitives.WriteUInt16BigEndian(value[2..], (ushort)(endpoint.Port ^ (StunMessage.MagicCookie >> 16)));
        for (int i = 4; i < length && !Overflowed; i++)
        {
            value[i] ^= _destination[i]; // the cookie is at 4, the transaction id behind it
        }

        WriteAttribute(StunAttribute.XorMappedAddress, value[..length]);
    }

    /// <summary>Adds MAPPED-ADDRESS, for clients of RFC 3489's time.</summary>
    public void WriteMappedAddress(Endpoint endpoint)
    {
        Span<byte> value = stackalloc byte[20];
        int length = WriteAddress(endpoint, value);
        WriteAttribute(StunAttribute.MappedAddress, value[..length]);
    }

    public void WriteSoftware(scoped ReadOnlySpan<byte> utf8) => WriteAttribute(StunAttribute.Software, utf8);

    /// <summary>Adds ERROR-CODE with an empty reason: the code says it.</summary>
    public void WriteErrorCode(int code) => WriteAttribute(StunAttribute.ErrorCode, [0, 0, (byte)(code / 100), (byte)(code % 100)]);

    public void WriteUnknownAttributes(scoped ReadOnlySpan<ushort> types)
    {
        Span<byte> value = stackalloc byte[StunMessage.MaxUnknown * 2];
        for (int i = 0; i < types.Length; i++)
        {
            BinaryPrimitives.WriteUInt16BigEndian(value[(2 * i)..], types[i]);
        }

        WriteAttribute(StunAttribute.UnknownAttributes, value[..(2 * types.Length)]);
    }

    public void WriteFingerprint()
    {
        int before = Written;
        WriteAttribute(StunAttribute.Fingerprint, [0, 0, 0, 0]);
        if (!Overflowed)
        {
            BinaryPrimitives.WriteUInt32BigEndian(_destination[(before + 4)..], StunFingerprint.Of(_destination[..before]));
        }
    }

    private static int WriteAddress(Endpoint endpoint, Span<byte> value)
    {
        value[0] = 0;
        value[1] = (byte)(endpoint.IsIPv4 ? 1 : 2);
        BinaryPrimitives.WriteUInt16BigEndian(value[2..], endpoint.Port);
        return 4 + endpoint.WriteAddress(value[4..]);
    }

    private void WriteAttribute(ushort type, scoped ReadOnlySpan<byte> value)
    {
        int padded = (value.Length + 3) & ~3;
        if (Overflowed || 4 + padded > _destination.Length - Written)
        {
            Overflowed = true;
            return;
        }

        Span<byte> room = _destination.Slice(Written, 4 + padded);
        BinaryPrimitives.WriteUInt16BigEndian(room, type);
        BinaryPrimitives.WriteUInt16BigEndian(room[2..], (ushort)value.Length);
        value.CopyTo(room[4..]);
        room[(4 + value.Length)..].Clear();
        Written += room.Length;
        BinaryPrimitives.WriteUInt16BigEndian(_destination[2..], (ushort)(Written - StunMessage.HeaderBytes));
    }
}
