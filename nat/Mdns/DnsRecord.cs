namespace Carrier.Nat.Mdns;

/// <summary>Record types that multicast DNS service discovery needs (RFC 1035 §3.2.2, RFC 2782, RFC 3596).</summary>
public enum DnsType : ushort
{
    A = 1,
    DomainPointer = 12,
    Txt = 16,
    Aaaa = 28,
    Srv = 33,

    /// <summary>In a question: whatever there is.</summary>
    Any = 255,
}

/// <summary>The fixed part of a message (RFC 1035 §4.1.1).</summary>
/// <remarks>
/// <code>
///  0        2        4          6         8            12
///  +--------+--------+----------+---------+------------+------------+
///  | id     | flags  | questions| answers | authorities| additionals|
///  +--------+--------+----------+---------+------------+------------+
///  flags: response (1) ‖ opcode (4) ‖ authoritative (1) ‖ truncated (1) ‖ … ‖ response code (4)
/// </code>
/// Big-endian. Multicast DNS ignores the flags named "…" and messages whose opcode or response code is not zero (RFC 6762 §18).
/// </remarks>
public readonly record struct DnsHeader(ushort Id, ushort Flags, int Questions, int Answers, int Authorities, int Additionals)
{
    public const int Bytes = 12;

    /// <summary>Flags of a multicast DNS answer: a response, authoritative (RFC 6762 §18.4).</summary>
    public const ushort AnswerFlags = 0x8400;

    public bool IsResponse => (Flags & 0x8000) != 0;

    /// <summary>More known answers follow in another message (RFC 6762 §7.2).</summary>
    public bool IsTruncated => (Flags & 0x0200) != 0;

    /// <summary>Neither an operation nor a failure that multicast DNS knows nothing of.</summary>
    public bool IsPlain => (Flags & 0x780F) == 0;
}

/// <summary>One question. The name lies in the reader's room until the next is read.</summary>
public readonly ref struct DnsQuestion(ReadOnlySpan<byte> name, DnsType type, bool wantsUnicast)
{
    public ReadOnlySpan<byte> Name { get; } = name;

    public DnsType Type { get; } = type;

    /// <summary>The top bit of the class: an answer to the asker alone will do (RFC 6762 §5.4).</summary>
    public bool WantsUnicast { get; } = wantsUnicast;

    public bool Asks(DnsType type) => Type == type || Type == DnsType.Any;
}

/// <summary>One record of class IN. The name lies in the reader's room until the next is read.</summary>
public readonly ref struct DnsRecord(ReadOnlySpan<byte> name, DnsType type, TimeSpan ttl, int dataOffset, ReadOnlySpan<byte> data)
{
    public ReadOnlySpan<byte> Name { get; } = name;

    public DnsType Type { get; } = type;

    /// <summary>Zero says that the record is no more (RFC 6762 §10.1).</summary>
    public TimeSpan Ttl { get; } = ttl;

    /// <summary>Where the data begins in the message: names within it may point back.</summary>
    public int DataOffset { get; } = dataOffset;

    public ReadOnlySpan<byte> Data { get; } = data;
}
