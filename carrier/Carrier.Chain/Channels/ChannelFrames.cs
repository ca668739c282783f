using System.Buffers;
using System.Buffers.Binary;

namespace Carrier.Chain.Channels;

/// <summary>Messages of a channel on a byte stream: <c>length 4, big-endian ‖ message</c>, cut out of whatever pieces arrive.</summary>
public static class ChannelFrames
{
    /// <summary>Reads the first message of <paramref name="buffer"/> and moves it behind that; a buffer without a whole one stays as it is.</summary>
    public static FrameReading TryRead(ref ReadOnlySequence<byte> buffer, out ChannelMessage? message)
    {
        message = null;
        if (buffer.Length < ChannelCodec.LengthBytes)
        {
            return FrameReading.Incomplete;
        }

        Span<byte> head = stackalloc byte[ChannelCodec.LengthBytes];
        buffer.Slice(0, ChannelCodec.LengthBytes).CopyTo(head);
        uint length = BinaryPrimitives.ReadUInt32BigEndian(head);
        if (length > ChannelLimits.MaxMessageBytes)
        {
            return FrameReading.Invalid;
        }

        if (buffer.Length < ChannelCodec.LengthBytes + length)
        {
            return FrameReading.Incomplete;
        }

        if (!TryReadMessage(buffer.Slice(ChannelCodec.LengthBytes, length), out message))
        {
            return FrameReading.Invalid;
        }

        buffer = buffer.Slice(ChannelCodec.LengthBytes + length);
        return FrameReading.Read;
    }

    private static bool TryReadMessage(ReadOnlySequence<byte> bytes, out ChannelMessage? message)
    {
        if (bytes.IsSingleSegment)
        {
            return ChannelCodec.TryRead(bytes.FirstSpan, out message);
        }

        byte[] rented = ArrayPool<byte>.Shared.Rent((int)bytes.Length);
        bytes.CopyTo(rented);
        bool isRead = ChannelCodec.TryRead(rented.AsSpan(0, (int)bytes.Length), out message);
        ArrayPool<byte>.Shared.Return(rented);
        return isRead;
    }
}

/// <summary>What was at the beginning of a buffer.</summary>
public enum FrameReading
{
    /// <summary>Not a whole message yet.</summary>
    Incomplete,

    Read,

    /// <summary>No message, or one that is too long. The stream is worth nothing any more.</summary>
    Invalid,
}
