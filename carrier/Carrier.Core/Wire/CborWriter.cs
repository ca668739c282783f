using System.Buffers.Binary;
using System.Text;

namespace Carrier.Core.Wire;

/// <summary>Writes deterministic CBOR (RFC 8949 §4.2.1) into a caller's span: shortest heads, definite lengths, no floats, no tags.</summary>
/// <remarks>
/// Map keys are small unsigned integers and the caller writes them in ascending order; that is the whole of the ordering rule here.
/// Overflow is remembered, not thrown: check <see cref="Overflowed"/> once at the end.
/// </remarks>
public ref struct CborWriter(Span<byte> destination)
{
    private readonly Span<byte> _destination = destination;

    public int Written { get; private set; }

    public bool Overflowed { get; private set; }

    /// <summary>What was written so far; empty after an overflow.</summary>
    public readonly ReadOnlySpan<byte> Encoded => Overflowed ? default : _destination[..Written];

    public void WriteMap(int pairs) => WriteHead(CborMajor.Map, (ulong)pairs);

    public void WriteArray(int items) => WriteHead(CborMajor.Array, (ulong)items);

    public void WriteUInt(ulong value) => WriteHead(CborMajor.Unsigned, value);

    public void WriteBool(bool value) => WriteHead(CborMajor.Simple, value ? 21UL : 20UL);

    public void WriteBytes(scoped ReadOnlySpan<byte> value)
    {
        WriteHead(CborMajor.Bytes, (ulong)value.Length);
        WriteRaw(value);
    }

    public void WriteText(scoped ReadOnlySpan<char> value)
    {
        int bytes = Encoding.UTF8.GetByteCount(value);
        WriteHead(CborMajor.Text, (ulong)bytes);
        if (TryReserve(bytes, out Span<byte> room))
        {
            _ = Encoding.UTF8.GetBytes(value, room);
        }
    }

    /// <summary>Copies an already encoded item.</summary>
    public void WriteRaw(scoped ReadOnlySpan<byte> encoded)
    {
        if (TryReserve(encoded.Length, out Span<byte> room))
        {
            encoded.CopyTo(room);
        }
    }

    public void WriteEndpoint(Endpoint endpoint)
    {
        Span<byte> bytes = stackalloc byte[18];
        int address = endpoint.WriteAddress(bytes);
        BinaryPrimitives.WriteUInt16BigEndian(bytes[address..], endpoint.Port);
        WriteBytes(bytes[..(address + 2)]);
    }

    private void WriteHead(CborMajor major, ulong argument)
    {
        byte top = (byte)((int)major << 5);
        int length = argument switch { < 24 => 1, <= byte.MaxValue => 2, <= ushort.MaxValue => 3, <= uint.MaxValue => 5, _ => 9 };
        if (!TryReserve(length, out Span<byte> room))
        {
            return;
        }

        switch (length)
        {
            case 1:
                room[0] = (byte)(top | (byte)argument);
                break;
            case 2:
                room[0] = (byte)(top | 24);
                room[1] = (byte)argument;
                break;
            case 3:
                room[0] = (byte)(top | 25);
                BinaryPrimitives.WriteUInt16BigEndian(room[1..], (ushort)argument);
                break;
            case 5:
                room[0] = (byte)(top | 26);
                BinaryPrimitives.WriteUInt32BigEndian(room[1..], (uint)argument);
                break;
            default:
                room[0] = (byte)(top | 27);
                BinaryPrimitives.WriteUInt64BigEndian(room[1..], argument);
                break;
        }
    }

    private bool TryReserve(int bytes, out Span<byte> room)
    {
        if (Overflowed || bytes > _destination.Length - Written)
        {
            Overflowed = true;
            room = default;
            return false;
        }

        room = _destination.Slice(Written, bytes);
        Written += bytes;
        return true;
    }
}

/// <summary>CBOR major types (RFC 8949 §3.1) that Carrier's formats use.</summary>
internal enum CborMajor
{
    Unsigned = 0,
    Bytes = 2,
    Text = 3,
    Array = 4,
    Map = 5,
    Simple = 7,
}
