using System.Buffers;
using System.Buffers.Binary;

namespace Carrier.Chain.Primitives;

/// <summary>Writes the chain's encoding; the mirror of <see cref="ByteReader"/>. Grows as needed.</summary>
public sealed class ByteWriter(int capacity = 512)
{
    private readonly ArrayBufferWriter<byte> _buffer = new(capacity);

    /// <summary>What was written; a view until the next write.</summary>
    public ReadOnlySpan<byte> Written => _buffer.WrittenSpan;

    public int Length => _buffer.WrittenCount;

    public byte[] ToArray() => _buffer.WrittenSpan.ToArray();

    /// <summary>Forgets what was written and keeps the room.</summary>
    public void Clear() => _buffer.ResetWrittenCount();

    public void WriteByte(byte value) => _buffer.Write([value]);

    public void WriteUInt16(ushort value)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_buffer.GetSpan(sizeof(ushort)), value);
        _buffer.Advance(sizeof(ushort));
    }

    public void WriteUInt32(uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_buffer.GetSpan(sizeof(uint)), value);
        _buffer.Advance(sizeof(uint));
    }

    public void WriteUInt64(ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(_buffer.GetSpan(sizeof(ulong)), value);
        _buffer.Advance(sizeof(ulong));
    }

    public void WriteHash(in Hash256 value)
    {
        value.CopyTo(_buffer.GetSpan(Hash256.Bytes));
        _buffer.Advance(Hash256.Bytes);
    }

    public void WriteSpan(ReadOnlySpan<byte> value) => _buffer.Write(value);

    public void WriteVarint(ulong value)
    {
        switch (value)
        {
            case < 0xFD:
                WriteByte((byte)value);
                break;
            case <= ushort.MaxValue:
                WriteByte(0xFD);
                WriteUInt16((ushort)value);
                break;
            case <= uint.MaxValue:
                WriteByte(0xFE);
                WriteUInt32((uint)value);
                break;
            default:
                WriteByte(0xFF);
                WriteUInt64(value);
                break;
        }
    }

    /// <summary>A varint length, then the bytes.</summary>
    public void WriteBytes(ReadOnlySpan<byte> value)
    {
        WriteVarint((ulong)value.Length);
        WriteSpan(value);
    }
}
