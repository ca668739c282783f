using Carrier.Core.Wire;

namespace Carrier.Agent.Transfer;

/// <summary>Every small message of a transfer: a kind, and at most two numbers.</summary>
/// <remarks>
/// <code>
///  CBOR map
///   0  message  uint   MessageKind
///   1  entry    uint   index of the entry, or the reason of Refuse and Failed; zero for Done
///   2  bytes    uint   Entry: where the data begins. Progress: how many bytes are durable. Else zero
///   3… unknown keys    skipped
/// </code>
/// </remarks>
internal readonly record struct Notice(MessageKind Kind, int Entry = 0, long Bytes = 0)
{
    private const int KnownKeys = 3;

    /// <summary>Writes the notice and returns its length; <see cref="TransferLimits.MaxNoticeBytes"/> are always enough.</summary>
    public int Write(Span<byte> destination)
    {
        var writer = new CborWriter(destination);
        writer.WriteMap(KnownKeys);
        writer.WriteUInt(0);
        writer.WriteUInt((ulong)Kind);
        writer.WriteUInt(1);
        writer.WriteUInt((ulong)Entry);
        writer.WriteUInt(2);
        writer.WriteUInt((ulong)Bytes);
        return writer.Written;
    }

    public static bool TryParse(ReadOnlySpan<byte> encoded, out Notice notice)
    {
        notice = default;
        var reader = new CborReader(encoded);
        int key = -1;
        if (!reader.TryReadMap(out int pairs) || pairs < KnownKeys
            || !reader.TryReadKey(ref key) || key != 0 || !reader.TryReadUInt(out ulong kind) || kind > byte.MaxValue
            || !reader.TryReadKey(ref key) || key != 1 || !reader.TryReadUInt(out ulong entry) || entry > int.MaxValue
            || !reader.TryReadKey(ref key) || key != 2 || !reader.TryReadUInt(out ulong bytes) || bytes > long.MaxValue)
        {
            return false;
        }

        for (int i = KnownKeys; i < pairs; i++)
        {
            if (!reader.TryReadKey(ref key) || !reader.TrySkip())
            {
                return false;
            }
        }

        notice = new Notice((MessageKind)kind, (int)entry, (long)bytes);
        return reader.AtEnd;
    }
}

/// <summary>The messages of <c>carrier/files/1</c>.</summary>
internal enum MessageKind
{
    Offer = 1,

    /// <summary>Sender: the data of this entry follows, from this byte on.</summary>
    Entry = 2,
    Accept = 3,

    /// <summary>Receiver: no, for the <see cref="RefusalReason"/> given; the stream ends.</summary>
    Refuse = 4,

    /// <summary>Receiver: so many bytes of this entry are on disk.</summary>
    Progress = 5,

    /// <summary>Receiver: this entry is on disk and its SHA-256 is the one sent.</summary>
    Verified = 6,

    /// <summary>Receiver: this entry's SHA-256 was another; send it once more, from its beginning.</summary>
    Again = 7,

    /// <summary>Receiver: it ends here, for the <see cref="FailureReason"/> given; what is durable is kept unless the reason says otherwise.</summary>
    Failed = 8,

    /// <summary>Receiver: everything is in its place.</summary>
    Done = 9,
}

/// <summary>Why an offer is refused.</summary>
internal enum RefusalReason
{
    /// <summary>The sender is not on the receiver's list, and nobody was there to ask.</summary>
    NotAllowed = 1,

    /// <summary>Somebody was asked, and said no.</summary>
    Declined = 2,
    Malformed = 3,
    UnknownVersion = 4,
    UnsafePath = 5,
    TooLarge = 6,
    NoSpace = 7,
    Busy = 8,
}

/// <summary>Why a transfer ends before its end.</summary>
internal enum FailureReason
{
    None = 0,
    DiskFull = 1,
    DiskError = 2,

    /// <summary>The same entry came twice with another SHA-256 than was sent with it.</summary>
    Mismatch = 3,

    /// <summary>The peer broke the protocol: more data than declared, an entry nobody offered.</summary>
    Violation = 4,
    Cancelled = 5,

    /// <summary>A stream of unknown size outgrew what the receiver takes.</summary>
    TooLarge = 6,

    /// <summary>The same sender began the same transfer anew, over another session.</summary>
    Superseded = 7,

    /// <summary>Local, never on the wire: the session ended before the transfer did.</summary>
    Interrupted = 8,

    /// <summary>Local: nothing moved for <see cref="TransferLimits.StallTimeout"/>.</summary>
    Stalled = 9,

    /// <summary>Local: a file changed or vanished while it was sent.</summary>
    SourceChanged = 10,
}
