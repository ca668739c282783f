using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Carrier.Core.Crypto;

namespace Carrier.Core.Identity;

/// <summary>Who somebody is: the program hash of an ordinary ELA account, and so the address of its wallet too. Twenty bytes as a value.</summary>
/// <remarks>
/// <code>
///  code    = 21 ‖ P-256 public key, compressed, 33 bytes ‖ AC
///  TrustID = RIPEMD160(SHA256(code))                         20 bytes
/// </code>
/// Text: <c>0x</c> and forty hex digits in EIP-55 mixed case, or the ELA address that begins with <c>E</c>.
/// </remarks>
public readonly record struct TrustId : IComparable<TrustId>
{
    public const int Bytes = 20;

    /// <summary>Characters of <see cref="ToString"/>: <c>0x</c> and forty digits.</summary>
    public const int TextLength = 2 + (2 * Bytes);

    private const byte CodePush33 = 0x21;
    private const byte CodeCheckSignature = 0xAC;

    private readonly ulong _high;
    private readonly ulong _middle;
    private readonly uint _low;

    /// <summary>Takes exactly twenty bytes.</summary>
    public TrustId(ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(bytes.Length, Bytes);
        _high = BinaryPrimitives.ReadUInt64BigEndian(bytes);
        _middle = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
        _low = BinaryPrimitives.ReadUInt32BigEndian(bytes[16..]);
    }

    /// <summary>True for the default value, which is nobody's.</summary>
    public bool IsNone => _high == 0 && _middle == 0 && _low == 0;

    public static bool operator <(TrustId left, TrustId right) => left.CompareTo(right) < 0;

    public static bool operator >(TrustId left, TrustId right) => left.CompareTo(right) > 0;

    public static bool operator <=(TrustId left, TrustId right) => left.CompareTo(right) <= 0;

    public static bool operator >=(TrustId left, TrustId right) => left.CompareTo(right) >= 0;

    /// <summary>The TrustID of an owner's key. Whether the key is a point on the curve makes no difference to the hash.</summary>
    public static TrustId FromPublicKey(in OwnerPublicKey key)
    {
        Span<byte> code = stackalloc byte[OwnerPublicKey.Bytes + 2];
        code[0] = CodePush33;
        key.Span.CopyTo(code[1..]);
        code[^1] = CodeCheckSignature;

        Span<byte> hash = stackalloc byte[Bytes];
        Hash160.HashData(code, hash);
        return new TrustId(hash);
    }

    public static bool TryFromBytes(ReadOnlySpan<byte> bytes, out TrustId id)
    {
        id = bytes.Length == Bytes ? new TrustId(bytes) : default;
        return bytes.Length == Bytes;
    }

    /// <summary>Reads <c>0x…</c> in any case or an <c>E…</c> address. See <see cref="Parse"/> where the user should hear of a doubtful checksum.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out TrustId id) => Parse(text, out id) != TrustIdParse.Invalid;

    /// <summary>Reads <c>0x…</c> in any case or an <c>E…</c> address, and says whether mixed-case digits carried a wrong checksum.</summary>
    /// <remarks>A wrong EIP-55 checksum still parses: identities are in circulation whose capitals never were one. A wrong address checksum does not.</remarks>
    public static TrustIdParse Parse(ReadOnlySpan<char> text, out TrustId id)
    {
        id = default;
        Span<byte> bytes = stackalloc byte[Bytes];
        if (text.Length == ElaAddress.TextLength)
        {
            if (!ElaAddress.TryDecode(text, out byte prefix, bytes) || prefix != ElaAddress.StandardPrefix)
            {
                return TrustIdParse.Invalid;
            }

            id = new TrustId(bytes);
            return TrustIdParse.Valid;
        }

        if (text.Length != TextLength || text is not ['0', 'x', ..]
            || Convert.FromHexString(text[2..], bytes, out _, out _) != System.Buffers.OperationStatus.Done)
        {
            return TrustIdParse.Invalid;
        }

        id = new TrustId(bytes);
        return HasWrongChecksum(text[2..], id) ? TrustIdParse.ChecksumMismatch : TrustIdParse.Valid;
    }

    /// <summary>Writes the twenty bytes; the destination must have room for them.</summary>
    public void CopyTo(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt32BigEndian(destination[16..], _low);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], _middle);
        BinaryPrimitives.WriteUInt64BigEndian(destination, _high);
    }

    /// <summary>Writes the twenty bytes if there is room for them.</summary>
    public bool TryWrite(Span<byte> destination)
    {
        if (destination.Length < Bytes)
        {
            return false;
        }

        CopyTo(destination);
        return true;
    }

    /// <summary>Orders as the twenty bytes do, read as one big-endian number.</summary>
    public int CompareTo(TrustId other)
    {
        int order = _high.CompareTo(other._high);
        order = order != 0 ? order : _middle.CompareTo(other._middle);
        return order != 0 ? order : _low.CompareTo(other._low);
    }

    /// <summary>The runtime's keyed string hash (Marvin) over the bytes: peers choose their identities, and a table must not be filled with chosen collisions.</summary>
    public override int GetHashCode()
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        CopyTo(bytes);
        return string.GetHashCode(MemoryMarshal.Cast<byte, char>(bytes));
    }

    /// <summary>The ELA address, <c>E…</c>: where this identity is paid.</summary>
    public string ToAddress()
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        CopyTo(bytes);
        return ElaAddress.Encode(ElaAddress.StandardPrefix, bytes);
    }

    /// <summary><c>0x</c> and forty hex digits in EIP-55 case.</summary>
    public override string ToString()
    {
        Span<char> text = stackalloc char[TextLength];
        WriteLowerHex(text[2..]);
        "0x".CopyTo(text);
        Eip55.Capitalize(text[2..]);
        return new string(text);
    }

    private static bool HasWrongChecksum(ReadOnlySpan<char> hex, TrustId id)
    {
        if (!hex.ContainsAnyInRange('a', 'f') || !hex.ContainsAnyInRange('A', 'F'))
        {
            return false; // one case only: no checksum was written
        }

        Span<char> expected = stackalloc char[2 * Bytes];
        id.WriteLowerHex(expected);
        Eip55.Capitalize(expected);
        return !hex.SequenceEqual(expected);
    }

    private void WriteLowerHex(Span<char> destination)
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        CopyTo(bytes);
        _ = Convert.TryToHexStringLower(bytes, destination, out _);
    }
}

/// <summary>What <see cref="TrustId.Parse"/> made of a text.</summary>
public enum TrustIdParse
{
    /// <summary>Neither form.</summary>
    Invalid,

    /// <summary>Read, and no checksum contradicts it.</summary>
    Valid,

    /// <summary>Read, but its capitals are no valid EIP-55 checksum: worth telling the user once.</summary>
    ChecksumMismatch,
}
