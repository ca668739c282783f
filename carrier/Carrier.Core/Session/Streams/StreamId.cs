namespace Carrier.Core.Session.Streams;

/// <summary>The number of a stream (RFC 9000 §2.1): bit 0 tells who opened it, bit 1 whether only the opener may send, the rest counts from zero.</summary>
public readonly record struct StreamId(ulong Value)
{
    public SessionRole Opener => (Value & 1) == 0 ? SessionRole.Initiator : SessionRole.Responder;

    public bool IsBidirectional => (Value & 2) == 0;

    /// <summary>Which of its kind, from zero.</summary>
    public ulong Index => Value >> 2;

    public static StreamId Create(SessionRole opener, bool bidirectional, ulong index) =>
        new((index << 2) | (bidirectional ? 0UL : 2UL) | (opener == SessionRole.Initiator ? 0UL : 1UL));

    public override string ToString() => $"{Opener}{(IsBidirectional ? "" : "-only")} {Index}";
}
