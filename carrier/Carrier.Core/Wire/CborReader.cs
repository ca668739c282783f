using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;

namespace Carrier.Core.Wire;

/// <summary>Reads deterministic CBOR (RFC 8949 §4.2.1) from a span. Never throws, never allocates, refuses every other encoding.</summary>
/// <remarks>
/// A length is compared with what is left before it is believed. Indefinite lengths, floats, tags, negative numbers and heads longer than
/// needed are refused. Maps have small unsigned keys in strictly ascending order, held by <see cref="TryReadKey(ref int)"/>; unknown keys are
/// skipped with <see cref="TrySkip"/>, so that a later version may add some.
/// </remarks>
public ref struct CborReader(ReadOnlySpan<byte> source)
{
    /// <summary>How deep <see cref="TrySkip"/> follows nested items: far beyond our formats, far below the stack.</summary>
    public const int MaxDepth = 8;

    private ReadOnlySpan<byte> _rest = source;

    /// <summary>What has not been read yet.</summary>
    public readonly ReadOnlySpan<byte> Rest => _rest;

    public readonly bool AtEnd => _rest.IsEmpty;

    /// <summary>Reads a map's head. Each pair takes at least two bytes, so a count beyond half the rest is refused here.</summary>
    public bool TryReadMap(out int pairs) => TryReadCount(CborMajor.Map, 2, out pairs);

    public bool TryReadArray(out int items) => TryReadCount(CborMajor.Array, 1, out items);

    public bool TryReadUInt(out ulong value) => TryReadHead(CborMajor.Unsigned, out value);

    /// <summary>Reads the next map key, which must be greater than <paramref name="previous"/> (start with -1).</summary>
    public bool TryReadKey(ref int previous)
    {
        if (!TryReadUInt(out ulong key) || key > ushort.MaxValue || (int)key <= previous)
        {
            return false;
        }

        previous = (int)key;
        return true;
    }

    /// <summary>Reads a map key that must be <paramref name="expected"/>: for maps whose first keys are all required.</summary>
    public bool TryReadKey(int expected) => TryReadUInt(out ulong key) && key == (ulong)expected;

    public bool TryReadBool(out bool value)
    {
        value = false;
        if (!TryReadHead(CborMajor.Simple, out ulong simple) || simple is not (20 or 21))
        {
            return false;
        }

        value = simple == 21;
        return true;
    }

    /// <summary>Reads a byte string as a view of the source.</summary>
    public bool TryReadBytes(out ReadOnlySpan<byte> value) => TryReadString(CborMajor.Bytes, out value);

    /// <summary>Reads a byte string of exactly <paramref name="exactBytes"/> as a view of the source.</summary>
    public bool TryReadBytes(int exactBytes, out ReadOnlySpan<byte> value) => TryReadBytes(out value) && value.Length == exactBytes;

    /// <summary>Reads a text string of at most <paramref name="maxBytes"/> of well-formed UTF-8. The one call here that allocates.</summary>
    public bool TryReadText(int maxBytes, out string value)
    {
        value = string.Empty;
        if (!TryReadString(CborMajor.Text, out ReadOnlySpan<byte> utf8) || utf8.Length > maxBytes || !Utf8.IsValid(utf8))
        {
            return false;
        }

        value = Encoding.UTF8.GetString(utf8);
        return true;
    }

    /// <summary>Reads an address and port: 6 bytes for IPv4, 18 for IPv6, port last, big-endian.</summary>
    public bool TryReadEndpoint(out Endpoint endpoint)
    {
        endpoint = default;
        return TryReadBytes(out ReadOnlySpan<byte> bytes)
            && bytes.Length is 6 or 18
            && Endpoint.TryFromBytes(bytes[..^2], BinaryPrimitives.ReadUInt16BigEndian(bytes[^2..]), out endpoint)
            && endpoint.IsIPv4 == (bytes.Length == 6);
    }

    /// <summary>Reads one whole item of any kind as a view of its encoding.</summary>
    public bool TryReadRaw(out ReadOnlySpan<byte> encoded)
    {
        ReadOnlySpan<byte> start = _rest;
        bool skipped = TrySkip();
        encoded = skipped ? start[..(start.Length - _rest.Length)] : default;
        return skipped;
    }

    /// <summary>Moves past an array of items of any kind; <paramref name="items"/> are their encodings, one after another.</summary>
    public bool TryReadItems(out int count, out ReadOnlySpan<byte> items)
    {
        items = default;
        if (!TryReadArray(out count))
        {
            return false;
        }

        ReadOnlySpan<byte> start = Rest;
        for (int i = 0; i < count; i++)
        {
            if (!TrySkip())
            {
                return false;
            }
        }

        items = start[..(start.Length - Rest.Length)];
        return true;
    }

    /// <summary>Moves past one item of any kind Carrier's formats use.</summary>
    public bool TrySkip() => TrySkipWithin(MaxDepth);

    private bool TrySkipWithin(int depth)
    {
        if (depth == 0 || _rest.IsEmpty)
        {
            return false;
        }

        var major = (CborMajor)(_rest[0] >> 5);
        switch (major)
        {
            case CborMajor.Unsigned:
                return TryReadUInt(out _);
            case CborMajor.Bytes:
                return TryReadString(major, out _);
            case CborMajor.Text:
                return TryReadString(major, out ReadOnlySpan<byte> utf8) && Utf8.IsValid(utf8);
            case CborMajor.Simple:
                return TryReadBool(out _);
            case CborMajor.Array or CborMajor.Map:
                int perItem = major == CborMajor.Map ? 2 : 1;
                if (!TryReadCount(major, perItem, out int items))
                {
                    return false;
                }

                for (int i = 0; i < items * perItem; i++)
                {
                    if (!TrySkipWithin(depth - 1))
                    {
                        return false;
                    }
                }

                return true;
            default:
                return false;
        }
    }

    private bool TryReadCount(CborMajor major, int minBytesPerItem, out int count)
    {
        count = 0;
        if (!TryReadHead(major, out ulong argument) || argument > (ulong)(_rest.Length / minBytesPerItem))
        {
            return false;
        }

        count = (int)argument;
        return true;
    }

    private bool TryReadString(CborMajor major, out ReadOnlySpan<byte> value)
    {
        value = default;
        if (!TryReadHead(major, out ulong length) || length > (ulong)_rest.Length)
        {
            return false;
        }

        value = _rest[..(int)length];
        _rest = _rest[(int)length..];
        return true;
    }

    private bool TryReadHead(CborMajor major, out ulong argument)
    {
        argument = 0;
        if (_rest.IsEmpty || _rest[0] >> 5 != (int)major)
        {
            return false;
        }

        int info = _rest[0] & 0x1F;
        int extra = info switch { < 24 => 0, 24 => 1, 25 => 2, 26 => 4, 27 => 8, _ => -1 };
        if (extra < 0 || (major == CborMajor.Simple && extra != 0) || _rest.Length < 1 + extra)
        {
            return false;
        }

        ReadOnlySpan<byte> tail = _rest[1..];
        (argument, ulong least) = extra switch
        {
            0 => ((ulong)info, 0UL),
            1 => (tail[0], 24UL),
            2 => (BinaryPrimitives.ReadUInt16BigEndian(tail), byte.MaxValue + 1UL),
            4 => (BinaryPrimitives.ReadUInt32BigEndian(tail), ushort.MaxValue + 1UL),
            _ => (BinaryPrimitives.ReadUInt64BigEndian(tail), uint.MaxValue + 1UL),
        };
        if (argument < least)
        {
            return false; // a shorter head says the same: not deterministic
        }

        _rest = tail[extra..];
        return true;
    }
}
