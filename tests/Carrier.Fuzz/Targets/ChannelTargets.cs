using System.Buffers;
using Carrier.Chain.Channels;

namespace Carrier.Fuzz.Targets;

/// <summary>What the other side of a channel and watchtowers' customers send.</summary>
public static class ChannelTargets
{
    public static void Messages(ReadOnlySpan<byte> data)
    {
        if (ChannelCodec.TryRead(data, out ChannelMessage? message))
        {
            byte[] again = new byte[ChannelLimits.MaxMessageBytes];
            Assert.True(data.SequenceEqual(again.AsSpan(0, ChannelCodec.Write(message, again))));
        }
    }

    /// <summary>A stream cut in pieces gives the messages of the whole.</summary>
    public static void Frames(ReadOnlySpan<byte> data)
    {
        var whole = new ReadOnlySequence<byte>(data.ToArray());
        ReadOnlySequence<byte> pieces = Piece.Cut(whole);
        FrameReading reading;
        do
        {
            reading = ChannelFrames.TryRead(ref whole, out ChannelMessage? message);
            Assert.True(ChannelFrames.TryRead(ref pieces, out ChannelMessage? cut) == reading && whole.Length == pieces.Length);
            Assert.True(Equals(message?.GetType(), cut?.GetType()) && message?.Channel == cut?.Channel);
        }
        while (reading == FrameReading.Read);
    }

    public static void Escrows(ReadOnlySpan<byte> data)
    {
        if (CloseEscrow.TryRead(data, out CloseEscrow? escrow))
        {
            Assert.True(data.SequenceEqual(escrow.Encode()));
        }
    }

    private sealed class Piece : ReadOnlySequenceSegment<byte>
    {
        private const int Bytes = 7;

        public static ReadOnlySequence<byte> Cut(ReadOnlySequence<byte> whole)
        {
            byte[] bytes = whole.ToArray();
            var first = new Piece { Memory = bytes.AsMemory(0, Math.Min(Bytes, bytes.Length)) };
            Piece last = first;
            for (int at = Bytes; at < bytes.Length; at += Bytes)
            {
                var next = new Piece { Memory = bytes.AsMemory(at, Math.Min(Bytes, bytes.Length - at)), RunningIndex = at };
                last.Next = next;
                last = next;
            }

            return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
        }
    }
}
