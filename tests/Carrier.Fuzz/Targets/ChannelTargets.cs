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

    public static void Escrows(ReadOnlySpan<byte> data)
    {
        if (CloseEscrow.TryRead(data, out CloseEscrow? escrow))
        {
            Assert.True(data.SequenceEqual(escrow.Encode()));
        }
    }
}
