using Carrier.Core.Wire;

namespace Carrier.Core.Session.Frames;

/// <summary>STREAM: bytes of a stream at an offset, and perhaps its end (RFC 9000 §19.8).</summary>
/// <remarks>
/// <code>0x08|bits ‖ stream varint ‖ [offset varint if bit 2] ‖ [length varint if bit 1] ‖ data</code>
/// Bit 0 marks the end of the stream. Without a length the data runs to the end of the packet.
/// </remarks>
public readonly ref struct StreamFrame
{
    public const byte FinBit = 1;
    public const byte LengthBit = 2;
    public const byte OffsetBit = 4;

    public required ulong Stream { get; init; }

    public required ulong Offset { get; init; }

    public required bool Fin { get; init; }

    public required ReadOnlySpan<byte> Data { get; init; }

    /// <summary>One past the last byte; never above <see cref="Varint.MaxValue"/>, the parser sees to it.</summary>
    public ulong End => Offset + (ulong)Data.Length;
}

/// <summary>ACK: which packets arrived, highest range first (RFC 9000 §19.3; the delay is in microseconds, there is no exponent).</summary>
/// <remarks>
/// <code>0x02 ‖ largest varint ‖ delay µs varint ‖ ranges varint ‖ first length-1 varint ‖ { gap-2 varint ‖ length-1 varint } x ranges</code>
/// Type 0x03 is the same, followed by <code>ECT(0) varint ‖ ECT(1) varint ‖ CE varint</code>: packets received so far with each mark.
/// </remarks>
/// <param name="Delay">What the peer says it waited.</param>
/// <param name="RangeCount">Ranges the reader stored, newest first, the first one included.</param>
public readonly record struct AckFrame(TimeSpan Delay, int RangeCount);

/// <summary>RESET_STREAM: the sender gives up its half; <paramref name="FinalSize"/> settles flow control.</summary>
public readonly record struct ResetStreamFrame(ulong Stream, ulong Code, ulong FinalSize);

/// <summary>STOP_SENDING: the receiver asks the sender to give up its half.</summary>
public readonly record struct StopSendingFrame(ulong Stream, ulong Code);

/// <summary>MAX_STREAM_DATA: one past the highest offset the peer may send on a stream.</summary>
public readonly record struct MaxStreamDataFrame(ulong Stream, ulong Limit);

/// <summary>NEW_CONNECTION_ID: <code>0x18 ‖ sequence varint ‖ id 8 ‖ reset token 16</code></summary>
public readonly record struct NewConnectionIdFrame(ulong Sequence, ConnectionId Id, ResetToken Token);

/// <summary>CLOSE: <code>0x1C or 0x1D ‖ code varint ‖ reason length varint ‖ reason UTF-8</code></summary>
public readonly ref struct CloseFrame
{
    /// <summary>Longer reasons are cut by the writer and refused by the parser: a reason is a log line, not a payload.</summary>
    public const int MaxReasonBytes = 256;

    public required ulong Code { get; init; }

    public required bool IsApplication { get; init; }

    public required ReadOnlySpan<byte> Reason { get; init; }
}
