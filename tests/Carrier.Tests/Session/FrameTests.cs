using Carrier.Core.Session;
using Carrier.Core.Session.Frames;
using Carrier.Core.Session.Recovery;
using Carrier.Fuzz.Targets;
using Carrier.Tests.Crypto;

namespace Carrier.Tests.Session;

public sealed class FrameTests
{
    /// <summary>One frame of each kind, by its name in docs/protocol.md §6.</summary>
    public static TheoryData<string, string> Golden =>
        [.. CryptoVectors.Read("packets.txt", "session").Where(vector => vector.Key.StartsWith("frame-", StringComparison.Ordinal))
            .Select(vector => (vector.Key, Convert.ToHexStringLower(vector.Value)))];

    [Theory]
    [MemberData(nameof(Golden))]
    public void TryRead_every_truncation_and_bit_flip_is_false_or_valid(string name, string hex)
    {
        byte[] golden = Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal));
        SessionTargets.Frames(golden);
        for (int length = 0; length < golden.Length; length++)
        {
            SessionTargets.Frames(golden.AsSpan(0, length));
        }

        for (int bit = 0; bit < golden.Length * 8; bit++)
        {
            byte[] flipped = (byte[])golden.Clone();
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            SessionTargets.Frames(flipped);
        }

        Assert.NotEmpty(name);
    }

    [Fact]
    public void TryRead_random_bytes_never_throw()
    {
        SeededRandom random = new(4);
        byte[] bytes = new byte[300];
        for (int i = 0; i < 20_000; i++)
        {
            Span<byte> data = bytes.AsSpan(0, random.NextInt32(bytes.Length));
            random.Fill(data);
            SessionTargets.Frames(data);
            SessionTargets.TransportParameterList(data);
            SessionTargets.Packet(data);
        }
    }

    [Fact]
    public void TryReadAck_golden_ranges_and_delay()
    {
        FrameReader reader = new(Convert.FromHexString("021e40fa010a0305"));
        AckRange[] ranges = new AckRange[FrameReader.MaxAckRanges];
        Assert.True(reader.TryReadType(out FrameType type) && type == FrameType.Ack);
        Assert.True(reader.TryReadAck(ranges, out AckFrame ack));
        Assert.Equal(2, ack.RangeCount);
        Assert.Equal([new AckRange(20, 30), new AckRange(10, 15)], ranges[..2]);
        Assert.Equal(TimeSpan.FromMicroseconds(250), ack.Delay);
        Assert.True(reader.AtEnd);
    }

    [Fact]
    public void TryReadEcnCounts_golden_counts_follow_the_ranges()
    {
        FrameReader reader = new(Convert.FromHexString("031e40fa010a03050a0001"));
        AckRange[] ranges = new AckRange[FrameReader.MaxAckRanges];
        Assert.True(reader.TryReadType(out FrameType type) && type == FrameType.AckEcn);
        Assert.True(reader.TryReadAck(ranges, out AckFrame ack) && ack.RangeCount == 2);
        Assert.True(reader.TryReadEcnCounts(out EcnCounts counts));
        Assert.Equal(new EcnCounts(10, 0, 1), counts);
        Assert.True(reader.AtEnd);
    }

    [Fact]
    public void OpenStream_any_room_and_length_reads_back_the_same()
    {
        byte[] packet = new byte[300];
        for (int room = 20; room <= 100; room++)
        {
            for (int length = 0; length <= 100; length++)
            {
                foreach (ulong offset in new ulong[] { 0, 10, 1_000, 1_000_000 })
                {
                    FrameWriter writer = new(packet.AsSpan(0, room));
                    if (writer.StreamCapacity(8, offset) < length)
                    {
                        continue;
                    }

                    writer.OpenStream(8, offset, length, fin: true).Fill(0xAB);
                    FrameReader reader = new(packet.AsSpan(0, writer.Length));
                    FrameType type;
                    do
                    {
                        Assert.True(reader.TryReadType(out type));
                    }
                    while (type == FrameType.Padding);

                    Assert.True(reader.TryReadStream(type, out StreamFrame frame));
                    Assert.True(frame.Fin && frame.Offset == offset && frame.Data.Length == length && reader.AtEnd);
                }
            }
        }
    }

    [Fact]
    public void TransportParameters_round_trip_defaults_and_refusals()
    {
        byte[] bytes = new byte[TransportParameters.MaxEncodedBytes];
        TransportParameters some = new() { IdleTimeout = TimeSpan.FromSeconds(7), MaxBidirectionalStreams = 3, MaxDatagramBytes = 0 };
        int length = some.Write(bytes);
        Assert.True(TransportParameters.TryRead(bytes.AsSpan(0, length), out TransportParameters read));
        Assert.Equal(some, read);
        Assert.True(TransportParameters.TryRead([], out read));
        Assert.Equal(TransportParameters.Default, read);
        Assert.True(TransportParameters.TryRead([0x3F, 1, 9], out _)); // unknown
        Assert.False(TransportParameters.TryRead([0x08, 1, 5, 0x08, 1, 5], out _)); // twice
        Assert.False(TransportParameters.TryRead([0x03, 2, 0x44, 0xAF], out _)); // 1,199 bytes a packet
        Assert.False(TransportParameters.TryRead([0x08, 9, 1], out _)); // cut short
        Assert.False(TransportParameters.TryRead([0x08, 8, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], out _)); // too many streams
    }

    [Theory]
    [InlineData(0UL, 0u, 0UL)]
    [InlineData(0xFFFF_FFFFUL, 1u, 0x1_0000_0001UL)]
    [InlineData(0x1_0000_0005UL, 0xFFFF_FFF0u, 0xFFFF_FFF0UL)]
    [InlineData(0x5_8000_0000UL, 0x7FFF_FFFFu, 0x5_7FFF_FFFFUL)]
    public void ExpandNumber_takes_the_nearest(ulong expected, uint truncated, ulong number) =>
        Assert.Equal(number, SessionPacket.ExpandNumber(expected, truncated));
}
