using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Carrier.Chain.Primitives;

/// <summary>A 256-bit hash of the chain as a value: a transaction id, a block hash, a merkle node.</summary>
/// <remarks>
/// <b>Internal</b> order is the order of the bytes on the wire and inside other hashes. <b>Display</b> order is the reverse: what people and JSON-RPC write.
/// Read as a number (against a target), the internal bytes are little-endian.
/// </remarks>
public readonly record struct Hash256 : IComparable<Hash256>
{
    public const int Bytes = 32;

    private readonly ulong _a;
    private readonly ulong _b;
    private readonly ulong _c;
    private readonly ulong _d;

    /// <summary>Takes exactly 32 bytes in internal order.</summary>
    public Hash256(ReadOnlySpan<byte> internalOrder)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(internalOrder.Length, Bytes);
        _a = BinaryPrimitives.ReadUInt64LittleEndian(internalOrder);
        _b = BinaryPrimitives.ReadUInt64LittleEndian(internalOrder[8..]);
        _c = BinaryPrimitives.ReadUInt64LittleEndian(internalOrder[16..]);
        _d = BinaryPrimitives.ReadUInt64LittleEndian(internalOrder[24..]);
    }

    /// <summary>True for the default value: no hash.</summary>
    public bool IsZero => (_a | _b | _c | _d) == 0;

    public static bool operator <(Hash256 left, Hash256 right) => left.CompareTo(right) < 0;

    public static bool operator >(Hash256 left, Hash256 right) => left.CompareTo(right) > 0;

    public static bool operator <=(Hash256 left, Hash256 right) => left.CompareTo(right) <= 0;

    public static bool operator >=(Hash256 left, Hash256 right) => left.CompareTo(right) >= 0;

    public static Hash256 Sha256(ReadOnlySpan<byte> data)
    {
        Span<byte> digest = stackalloc byte[Bytes];
        SHA256.HashData(data, digest);
        return new Hash256(digest);
    }

    /// <summary>SHA-256 of the SHA-256: ids, block hashes and merkle nodes.</summary>
    public static Hash256 DoubleSha256(ReadOnlySpan<byte> data)
    {
        Span<byte> digest = stackalloc byte[Bytes];
        SHA256.HashData(data, digest);
        SHA256.HashData(digest, digest);
        return new Hash256(digest);
    }

    /// <summary>The merkle node above two others: SHA256d(left ‖ right).</summary>
    public static Hash256 Join(in Hash256 left, in Hash256 right)
    {
        Span<byte> pair = stackalloc byte[2 * Bytes];
        left.CopyTo(pair);
        right.CopyTo(pair[Bytes..]);
        return DoubleSha256(pair);
    }

    /// <summary>Reads 64 hex digits in display order, as people and JSON-RPC write them.</summary>
    public static bool TryParse(ReadOnlySpan<char> display, out Hash256 hash)
    {
        bool valid = TryParseInternal(display, out hash);
        hash = valid ? hash.Reversed() : default;
        return valid;
    }

    /// <summary>Reads 64 hex digits in internal order, as <c>createauxblock</c> writes them.</summary>
    public static bool TryParseInternal(ReadOnlySpan<char> hex, out Hash256 hash)
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        bool valid = hex.Length == 2 * Bytes && Convert.FromHexString(hex, bytes, out _, out _) == OperationStatus.Done;
        hash = valid ? new Hash256(bytes) : default;
        return valid;
    }

    /// <summary>Writes the 32 bytes in internal order.</summary>
    public void CopyTo(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(destination[24..], _d);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[16..], _c);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[8..], _b);
        BinaryPrimitives.WriteUInt64LittleEndian(destination, _a);
    }

    public byte[] ToArray()
    {
        byte[] bytes = new byte[Bytes];
        CopyTo(bytes);
        return bytes;
    }

    /// <summary>The same bytes, last first.</summary>
    public Hash256 Reversed()
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        CopyTo(bytes);
        bytes.Reverse();
        return new Hash256(bytes);
    }

    /// <summary>Orders as little-endian numbers: what proof of work compares.</summary>
    public int CompareTo(Hash256 other)
    {
        int order = _d.CompareTo(other._d);
        order = order != 0 ? order : _c.CompareTo(other._c);
        order = order != 0 ? order : _b.CompareTo(other._b);
        return order != 0 ? order : _a.CompareTo(other._a);
    }

    /// <summary>The runtime's keyed string hash: strangers choose hashes, and a table must not be filled with chosen collisions.</summary>
    public override int GetHashCode()
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        CopyTo(bytes);
        return string.GetHashCode(MemoryMarshal.Cast<byte, char>(bytes));
    }

    /// <summary>64 lower-case hex digits in display order.</summary>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        CopyTo(bytes);
        bytes.Reverse();
        return Convert.ToHexStringLower(bytes);
    }

    /// <summary>64 lower-case hex digits in internal order.</summary>
    public string ToInternalString()
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        CopyTo(bytes);
        return Convert.ToHexStringLower(bytes);
    }
}
