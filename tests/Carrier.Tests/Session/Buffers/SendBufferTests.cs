using Carrier.Core.Session.Buffers;
using CsCheck;

namespace Carrier.Tests.Session.Buffers;

public class SendBufferTests
{
    private readonly SlabPool _pool = new(maxSlabs: 1_000, maxRetained: 16);

    [Fact]
    public void Write_takes_no_more_than_the_limit_until_acknowledged()
    {
        using var buffer = new SendBuffer(_pool, 100_000);
        Assert.Equal(100_000, buffer.Write(new byte[150_000]));
        Assert.Equal(0, buffer.Write(new byte[1]));
        Assert.True(buffer.TryNextRange(70_000, long.MaxValue, out SendRange range));
        buffer.Acknowledge(range.Offset, range.Length, range.Fin);
        Assert.Equal(70_000, buffer.WritableBytes);
        Assert.Equal(1, _pool.Outstanding);
    }

    [Fact]
    public void Write_without_slabs_takes_what_fits()
    {
        var pool = new SlabPool(maxSlabs: 1, maxRetained: 0);
        using var buffer = new SendBuffer(pool, 1 << 20);
        Assert.Equal(SlabPool.SlabBytes, buffer.Write(new byte[200_000]));
    }

    [Fact]
    public void TryNextRange_sends_the_fin_with_the_last_byte_or_alone()
    {
        using var buffer = new SendBuffer(_pool, 1_000);
        buffer.Write(new byte[10]);
        Assert.True(buffer.TryNextRange(100, long.MaxValue, out SendRange range));
        Assert.Equal(new SendRange(0, 10, false), range);
        Assert.False(buffer.HasPending);
        buffer.Finish();
        Assert.True(buffer.HasPending);
        Assert.True(buffer.TryNextRange(0, 0, out range));
        Assert.Equal(new SendRange(10, 0, true), range);
        Assert.False(buffer.TryNextRange(100, long.MaxValue, out _));

        buffer.Lose(10, 0, fin: true);
        Assert.True(buffer.TryNextRange(100, long.MaxValue, out range));
        Assert.Equal(new SendRange(10, 0, true), range);
        buffer.Acknowledge(10, 0, fin: true);
        Assert.False(buffer.AllAcknowledged);
        buffer.Acknowledge(0, 10, false);
        Assert.True(buffer.AllAcknowledged);
        Assert.Equal(0, _pool.Outstanding);
    }

    [Fact]
    public void TryNextRange_holds_new_data_at_the_flow_limit_but_not_lost_data()
    {
        using var buffer = new SendBuffer(_pool, 1_000);
        buffer.Write(new byte[100]);
        Assert.True(buffer.TryNextRange(1_000, 60, out SendRange range));
        Assert.Equal(new SendRange(0, 60, false), range);
        Assert.False(buffer.TryNextRange(1_000, 60, out _));
        buffer.Lose(20, 10, false);
        Assert.True(buffer.TryNextRange(1_000, 60, out range));
        Assert.Equal(new SendRange(20, 10, false), range);
    }

    [Fact]
    public void Lose_queues_only_what_is_unacknowledged_before_new_data()
    {
        using var buffer = new SendBuffer(_pool, 1_000);
        buffer.Write(new byte[100]);
        buffer.TryNextRange(90, long.MaxValue, out _);
        buffer.Acknowledge(20, 10, false);
        buffer.Lose(10, 40, false);
        buffer.Acknowledge(40, 5, false);
        List<SendRange> ranges = [];
        while (buffer.TryNextRange(50, long.MaxValue, out SendRange range))
        {
            ranges.Add(range);
        }

        Assert.Equal([new(10, 10, false), new(30, 10, false), new(45, 5, false), new(90, 10, false)], ranges);
    }

    [Fact]
    public void Acknowledge_every_other_packet_stays_bounded_and_still_completes()
    {
        const int Packet = 100;
        const int Packets = 10 * SendBuffer.MaxRanges;
        using var buffer = new SendBuffer(_pool, Packet * Packets);
        buffer.Write(new byte[Packet * Packets]);
        buffer.Finish();
        List<SendRange> sent = [];
        while (buffer.TryNextRange(Packet, long.MaxValue, out SendRange range))
        {
            sent.Add(range);
        }

        for (int i = 1; i < sent.Count; i += 2)
        {
            buffer.Acknowledge(sent[i].Offset, sent[i].Length, sent[i].Fin);
        }

        for (int i = 0; i < sent.Count; i += 2)
        {
            buffer.Acknowledge(sent[i].Offset, sent[i].Length, sent[i].Fin);
        }

        while (buffer.TryNextRange(Packet, long.MaxValue, out SendRange range))
        {
            buffer.Acknowledge(range.Offset, range.Length, range.Fin);
        }

        Assert.True(buffer.AllAcknowledged);
        Assert.Equal(0, _pool.Outstanding);
    }

    [Fact]
    public void Any_order_of_loss_and_acknowledgement_delivers_the_stream() =>
        Gen.Select(Gen.Int[0, 3], Gen.Int[0, 10_000], Gen.Int[0, 1_000_000]).Array[1, 300].Sample(steps =>
        {
            byte[] stream = new byte[150_000];
            new Random(2).NextBytes(stream);
            byte[] received = new byte[stream.Length];
            using var buffer = new SendBuffer(_pool, 100_000);
            List<SendRange> flying = [];
            int written = 0;
            foreach ((int kind, int amount, int pick) in steps)
            {
                Step(kind, amount, pick);
            }

            for (int i = 0; !buffer.AllAcknowledged && i < 10_000; i++)
            {
                Step(i % 3, 1_452, i);
            }

            Assert.True(buffer.AllAcknowledged);
            Assert.Equal(stream, received);
            Assert.Equal(0, _pool.Outstanding);

            void Step(int kind, int amount, int pick)
            {
                if (kind == 0)
                {
                    written += buffer.Write(stream.AsSpan(written, Math.Min(amount, stream.Length - written)));
                    if (written == stream.Length)
                    {
                        buffer.Finish();
                    }
                }
                else if (kind == 1 && buffer.TryNextRange(amount, long.MaxValue, out SendRange range))
                {
                    buffer.CopyTo(range.Offset, received.AsSpan((int)range.Offset, range.Length));
                    Assert.Equal(range.Offset + range.Length == stream.Length && buffer.Finished, range.Fin);
                    flying.Add(range);
                }
                else if (kind >= 2 && flying.Count > 0)
                {
                    SendRange resolved = flying[pick % flying.Count];
                    flying.RemoveAt(pick % flying.Count);
                    if (kind == 2)
                    {
                        buffer.Acknowledge(resolved.Offset, resolved.Length, resolved.Fin);
                    }
                    else
                    {
                        received.AsSpan((int)resolved.Offset, resolved.Length).Clear();
                        buffer.Lose(resolved.Offset, resolved.Length, resolved.Fin);
                    }
                }
            }
        }, iter: 100, threads: 1);
}
