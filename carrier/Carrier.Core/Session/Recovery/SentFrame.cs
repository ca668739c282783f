namespace Carrier.Core.Session.Recovery;

/// <summary>What one frame of a sent packet carried, so that its loss can be repaired and its arrival noted.</summary>
/// <param name="Kind">The session's own frame type; recovery never looks at it.</param>
/// <param name="Fin">For stream data: the frame ended the stream.</param>
/// <param name="Length">Bytes of stream data, or what the kind needs.</param>
/// <param name="StreamId">The stream, or what the kind needs.</param>
/// <param name="Offset">The stream offset; for an ACK the largest packet number it reported; for others what the kind needs.</param>
public readonly record struct SentFrame(byte Kind, bool Fin, int Length, ulong StreamId, long Offset);

/// <summary>The frames of one packet being built: a list in <see cref="SentFrameStore"/>. The default value is the empty list.</summary>
public struct SentFrames
{
    // One past the index of the record, so that zero is none.
    internal int Head;
    internal int Tail;

    public readonly bool IsEmpty => Head == 0;
}
