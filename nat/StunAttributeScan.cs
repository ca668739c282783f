using System.Buffers.Binary;
using Carrier.Core;

namespace Carrier.Nat;

/// <summary>One pass over a message's attributes: what <see cref="StunMessage"/> is made of.</summary>
internal ref struct StunAttributeScan
{
    public Endpoint Mapped;
    public Endpoint XorMapped;
    public Endpoint Other;
    public Endpoint Origin;
    public int ErrorCode;
    public bool HasFingerprint;
    public ReadOnlySpan<byte> Software;
    public StunMessage.UnknownTypes Unknown;
    public int UnknownCount;

    private bool _sealedByIntegrity;

    /// <summary>Reads every attribute; false when one overruns the message, is ill-formed, or the FINGERPRINT is wrong or not last.</summary>
    public bool TryRead(ReadOnlySpan<byte> message)
    {
        int offset = StunMessage.HeaderBytes;
        while (offset < message.Length)
        {
            ReadOnlySpan<byte> rest = message[offset..];
            if (HasFingerprint || rest.Length < 4)
            {
                return false;
            }

            ushort type = BinaryPrimitives.ReadUInt16BigEndian(rest);
            int length = BinaryPrimitives.ReadUInt16BigEndian(rest[2..]);
            int padded = (length + 3) & ~3;
            if (padded > rest.Length - 4)
            {
                return false;
            }

            ReadOnlySpan<byte> value = rest.Slice(4, length);
            if (type == StunAttribute.Fingerprint)
            {
                HasFingerprint = length == 4 && BinaryPrimitives.ReadUInt32BigEndian(value) == StunFingerprint.Of(message[..offset]);
                if (!HasFingerprint)
                {
                    return false;
                }
            }
            else if (!_sealedByIntegrity && !TryTake(type, value, message.Slice(4, 16)))
            {
                return false;
            }

            offset += 4 + padded;
        }

        return true;
    }

    private bool TryTake(ushort type, ReadOnlySpan<byte> value, ReadOnlySpan<byte> cookieAndTransaction)
    {
        switch (type)
        {
            case StunAttribute.MappedAddress:
                return !Mapped.IsNone || TryReadAddress(value, default, out Mapped);
            case StunAttribute.XorMappedAddress:
                return !XorMapped.IsNone || TryReadAddress(value, cookieAndTransaction, out XorMapped);
            case StunAttribute.OtherAddress:
                return !Other.IsNone || TryReadAddress(value, default, out Other);
            case StunAttribute.ResponseOrigin:
                return !Origin.IsNone || TryReadAddress(value, default, out Origin);
            case StunAttribute.ErrorCode:
                return ErrorCode != 0 || TryReadErrorCode(value);
            case StunAttribute.Software:
                Software = Software.IsEmpty ? value : Software;
                return true;
            case StunAttribute.MessageIntegrity or StunAttribute.MessageIntegritySha256:
                _sealedByIntegrity = true;
                return true;
            case StunAttribute.ChangeRequest when value.Length == 4 && (value[3] & 6) == 0:
                return true; // asks to change neither address nor port, which we can do
            default:
                if (!StunAttribute.IsUnderstood(type) && UnknownCount < StunMessage.MaxUnknown)
                {
                    Unknown[UnknownCount++] = type;
                }

                return true;
        }
    }

    // 0 ‖ family 1 or 2 ‖ port 2 ‖ address 4 or 16, the XOR form masked with the cookie and transaction id (RFC 8489 §14.2).
    private static bool TryReadAddress(ReadOnlySpan<byte> value, ReadOnlySpan<byte> mask, out Endpoint endpoint)
    {
        endpoint = default;
        if (value.Length < 8 || (value[1], value.Length) is not ((1, 8) or (2, 20)))
        {
            return false;
        }

        Span<byte> address = stackalloc byte[value.Length - 4];
        value[4..].CopyTo(address);
        ushort port = BinaryPrimitives.ReadUInt16BigEndian(value[2..]);
        if (!mask.IsEmpty)
        {
            port ^= (ushort)(StunMessage.MagicCookie >> 16);
            for (int i = 0; i < address.Length; i++)
            {
                address[i] ^= mask[i];
            }
        }

        return Endpoint.TryFromBytes(address, port, out endpoint);
    }

    private bool TryReadErrorCode(ReadOnlySpan<byte> value)
    {
        if (value.Length < 4)
        {
            return false;
        }

        (int hundreds, int rest) = (value[2] & 7, value[3]);
        ErrorCode = (hundreds * 100) + rest;
        return hundreds is >= 3 and <= 6 && rest <= 99;
    }
}
