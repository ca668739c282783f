using System.Buffers.Binary;

namespace Carrier.Nat.Mdns;

/// <summary>Reads a DNS message from front to back over the received bytes (RFC 1035 §4): header, questions, records. Nothing is allocated or thrown.</summary>
/// <remarks>
/// <code>
///  question: name ‖ type (16) ‖ unicast wanted (1) | class (15)
///  record:   name ‖ type (16) ‖ flush (1)          | class (15) ‖ ttl, seconds (32) ‖ data length (16) ‖ data
/// </code>
/// Other classes than IN are passed over: such a record comes with type zero.
/// </remarks>
public ref struct DnsReader
{
    private const int ClassMask = 0x7FFF;
    private const int ClassIn = 1;
    private const int ClassAny = 255;
    private const int TopBit = 0x8000;

    private readonly ReadOnlySpan<byte> _message;
    private readonly Span<byte> _nameRoom;
    private int _offset;

    /// <param name="message">The whole message.</param>
    /// <param name="nameRoom"><see cref="DnsName.MaxBytes"/> for the name last read.</param>
    public DnsReader(ReadOnlySpan<byte> message, Span<byte> nameRoom)
    {
        _message = message;
        _nameRoom = nameRoom;
    }

    public bool TryReadHeader(out DnsHeader header)
    {
        header = default;
        if (_message.Length < DnsHeader.Bytes)
        {
            return false;
        }

        header = new DnsHeader(Number(0), Number(2), Number(4), Number(6), Number(8), Number(10));
        _offset = DnsHeader.Bytes;
        return true;
    }

    public bool TryReadQuestion(out DnsQuestion question)
    {
        question = default;
        if (!DnsName.TryRead(_message, ref _offset, _nameRoom, out int nameBytes) || _message.Length - _offset < 4)
        {
            return false;
        }

        ushort dnsClass = Number(_offset + 2);
        bool isOurs = (dnsClass & ClassMask) is ClassIn or ClassAny;
        question = new DnsQuestion(_nameRoom[..nameBytes], isOurs ? (DnsType)Number(_offset) : 0, (dnsClass & TopBit) != 0);
        _offset += 4;
        return true;
    }

    public bool TryReadRecord(out DnsRecord record)
    {
        record = default;
        if (!DnsName.TryRead(_message, ref _offset, _nameRoom, out int nameBytes) || _message.Length - _offset < 10)
        {
            return false;
        }

        bool isOurs = (Number(_offset + 2) & ClassMask) == ClassIn;
        DnsType type = isOurs ? (DnsType)Number(_offset) : 0;
        var ttl = TimeSpan.FromSeconds(BinaryPrimitives.ReadUInt32BigEndian(_message[(_offset + 4)..]));
        int length = Number(_offset + 8);
        _offset += 10;
        if (_message.Length - _offset < length)
        {
            return false;
        }

        record = new DnsRecord(_nameRoom[..nameBytes], type, ttl, _offset, _message.Slice(_offset, length));
        _offset += length;
        return true;
    }

    /// <summary>Reads the name that a record's data is, or ends with after <paramref name="skipped"/> bytes, and nothing after it.</summary>
    public readonly bool TryReadNameIn(in DnsRecord record, int skipped, Span<byte> room, out int bytes)
    {
        bytes = 0;
        int offset = record.DataOffset + skipped;
        return skipped < record.Data.Length && DnsName.TryRead(_message, ref offset, room, out bytes) && offset == record.DataOffset + record.Data.Length;
    }

    private readonly ushort Number(int offset) => BinaryPrimitives.ReadUInt16BigEndian(_message[offset..]);
}
