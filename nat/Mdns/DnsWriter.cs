using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Carrier.Nat.Mdns;

/// <summary>Writes a DNS message into a span, names compressed against those before (RFC 1035 §4.1.4). What does not fit sets <see cref="Overflowed"/>.</summary>
public ref struct DnsWriter
{
    /// <summary>Labels that later names may point to; more are written out.</summary>
    private const int MaxTargets = 16;

    /// <summary>Pointers have fourteen bits.</summary>
    private const int LastTarget = 0x3FFF;

    private const ushort ClassIn = 1;
    private const ushort TopBit = 0x8000;

    private readonly Span<byte> _message;
    private Targets _targets;
    private int _targetCount;
    private int _dataAt;

    /// <param name="message">Room for the message; at least a header's.</param>
    /// <param name="header">The counts are what will be written.</param>
    public DnsWriter(Span<byte> message, in DnsHeader header)
    {
        _message = message;
        foreach (int number in (ReadOnlySpan<int>)[header.Id, header.Flags, header.Questions, header.Answers, header.Authorities, header.Additionals])
        {
            WriteNumber((ushort)number);
        }
    }

    public int Bytes { get; private set; }

    public bool Overflowed { get; private set; }

    public void WriteQuestion(scoped ReadOnlySpan<byte> name, DnsType type)
    {
        WriteName(name);
        WriteNumber((ushort)type);
        WriteNumber(ClassIn);
    }

    /// <summary>Begins a record; its data follows, then <see cref="EndRecord"/>.</summary>
    /// <param name="flush">What others knew of this name and type before is void (RFC 6762 §10.2).</param>
    public void BeginRecord(scoped ReadOnlySpan<byte> name, DnsType type, TimeSpan ttl, bool flush)
    {
        WriteName(name);
        WriteNumber((ushort)type);
        WriteNumber(flush ? (ushort)(ClassIn | TopBit) : ClassIn);
        uint seconds = (uint)ttl.TotalSeconds;
        WriteNumber((ushort)(seconds >> 16));
        WriteNumber((ushort)seconds);
        WriteNumber(0);
        _dataAt = Bytes;
    }

    public void EndRecord()
    {
        if (!Overflowed)
        {
            BinaryPrimitives.WriteUInt16BigEndian(_message[(_dataAt - 2)..], checked((ushort)(Bytes - _dataAt)));
        }
    }

    public void WriteNumber(ushort number)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ushort)];
        BinaryPrimitives.WriteUInt16BigEndian(bytes, number);
        Write(bytes);
    }

    /// <summary>Writes a character string (RFC 1035 §3.3): its length, at most 255, and its bytes.</summary>
    public void WriteString(scoped ReadOnlySpan<byte> text)
    {
        Write([checked((byte)text.Length)]);
        Write(text);
    }

    public void Write(scoped ReadOnlySpan<byte> bytes)
    {
        Overflowed |= bytes.Length > _message.Length - Bytes;
        if (!Overflowed)
        {
            bytes.CopyTo(_message[Bytes..]);
            Bytes += bytes.Length;
        }
    }

    /// <summary>Writes an uncompressed name: labels until its rest stands somewhere already, then a pointer there.</summary>
    public void WriteName(scoped ReadOnlySpan<byte> name)
    {
        while (name.Length > 1)
        {
            if (TryFind(name, out int target))
            {
                WriteNumber((ushort)(0xC000 | target));
                return;
            }

            if (_targetCount < MaxTargets && Bytes <= LastTarget)
            {
                _targets[_targetCount++] = (ushort)Bytes;
            }

            Write(name[..(1 + name[0])]);
            name = name[(1 + name[0])..];
        }

        Write([0]);
    }

    private readonly bool TryFind(scoped ReadOnlySpan<byte> name, out int target)
    {
        Span<byte> written = stackalloc byte[DnsName.MaxBytes];
        for (int i = 0; i < _targetCount; i++)
        {
            target = _targets[i];
            int offset = target;
            if (DnsName.TryRead(_message[..Bytes], ref offset, written, out int bytes) && DnsName.AreEqual(written[..bytes], name))
            {
                return true;
            }
        }

        target = 0;
        return false;
    }

    [InlineArray(MaxTargets)]
    private struct Targets
    {
        private ushort _first;
    }
}
