using Carrier.Core.Session.Buffers;
using CsCheck;

namespace Carrier.Tests.Session.Buffers;

public class ReceiveBufferTests
{
    private const int Slab = SlabPool.SlabBytes;

    private readonly SlabPool _pool = new(maxSlabs: 1_000, maxRetained: 16);

    [Fact]
    public void Insert_any_order_reads_back_the_stream() =>
        Gen.Select(Gen.Int[0, 200_000], Gen.Int[1, 70_000], Gen.Int[0, 5_000]).Array[1, 120].Sample(steps =>
        {
            byte[] stream = Pattern(200_000);
            using var buffer = new ReceiveBuffer(_pool, stream.Length);
            byte[] read = new byte[stream.Length];
            int count = 0;
            foreach ((int offset, int length, int toRead) in steps)
            {
                int end = Math.Min(stream.Length, offset + length);
                Assert.Equal(InsertResult.Ok, buffer.Insert(offset, stream.AsSpan(offset, end - offset), end == stream.Length));
                count += buffer.Read(read.AsSpan(count, Math.Min(toRead, stream.Length - count)));
                Assert.Equal(count, buffer.ReadOffset);
            }

            buffer.Insert(0, stream, fin: true);
            while (buffer.ReadableBytes > 0)
            {
                ReadOnlySpan<byte> piece = buffer.Peek();
                piece.CopyTo(read.AsSpan(count));
                count += piece.Length;
                buffer.Consume(piece.Length);
            }

            Assert.True(buffer.Finished);
            Assert.Equal(stream, read);
            Assert.Equal(0, _pool.Outstanding);
        }, iter: 100, threads: 1);

    [Fact]
    public void Insert_beyond_the_limit_is_a_flow_control_violation()
    {
        using var buffer = new ReceiveBuffer(_pool, 100);
        Assert.Equal(InsertResult.FlowControlViolation, buffer.Insert(50, new byte[51], false));
        Assert.Equal(InsertResult.FlowControlViolation, buffer.Insert(1L << 61, new byte[1], false));
        Assert.Equal(InsertResult.FlowControlViolation, buffer.Reset(101));
        Assert.Equal(0, _pool.Outstanding);
        Assert.Equal(InsertResult.Ok, buffer.Insert(50, new byte[50], false));
        buffer.Allow(101);
        Assert.Equal(InsertResult.Ok, buffer.Insert(100, new byte[1], false));
        Assert.Equal(101, buffer.HighestReceived);
    }

    [Fact]
    public void Insert_contradicting_the_final_size_is_a_violation()
    {
        using var buffer = new ReceiveBuffer(_pool, 1_000);
        Assert.Equal(InsertResult.Ok, buffer.Insert(10, new byte[10], false));
        Assert.Equal(InsertResult.FinalSizeViolation, buffer.Insert(0, new byte[19], fin: true));
        Assert.Equal(InsertResult.Ok, buffer.Insert(30, [], fin: true));
        Assert.Equal(InsertResult.FinalSizeViolation, buffer.Insert(30, new byte[1], false));
        Assert.Equal(InsertResult.FinalSizeViolation, buffer.Insert(20, new byte[5], fin: true));
        Assert.Equal(InsertResult.FinalSizeViolation, buffer.Reset(29));
        Assert.Equal(30, buffer.FinalSize);
        Assert.False(buffer.Complete);
    }

    [Fact]
    public void Insert_one_byte_at_every_other_offset_is_stopped_within_the_window()
    {
        const int Window = 4 * Slab;
        using var buffer = new ReceiveBuffer(_pool, Window);
        int holes = 0;
        int refused = 0;
        for (int offset = 1; offset < Window; offset += 2)
        {
            _ = buffer.Insert(offset, [1], false) == InsertResult.Ok ? holes++ : refused++;
        }

        Assert.Equal(ReceiveBuffer.MaxGaps, holes);
        Assert.Equal((Window / 2) - holes, refused);
        Assert.InRange(_pool.Outstanding, 1, Window / Slab);
        Assert.Equal(0, buffer.ReadableBytes);

        // The honest packet that fills the holes is still taken.
        Assert.Equal(InsertResult.Ok, buffer.Insert(0, new byte[Window], true));
        Assert.Equal(Window, buffer.Read(new byte[Window]));
        Assert.Equal(0, _pool.Outstanding);
    }

    [Fact]
    public void Insert_one_byte_a_slab_commits_no_more_than_the_window()
    {
        const int Window = 64 * Slab;
        using var buffer = new ReceiveBuffer(_pool, Window);
        for (long offset = Slab - 1; offset < 10L * Window; offset += Slab)
        {
            Assert.Equal(offset < Window ? InsertResult.Ok : InsertResult.FlowControlViolation, buffer.Insert(offset, [1], false));
        }

        Assert.Equal(64, _pool.Outstanding);
    }

    [Fact]
    public void Insert_without_slabs_is_refused_and_works_later()
    {
        var pool = new SlabPool(maxSlabs: 1, maxRetained: 1);
        using var first = new ReceiveBuffer(pool, Slab);
        using var second = new ReceiveBuffer(pool, Slab);
        Assert.Equal(InsertResult.Ok, first.Insert(0, new byte[10], false));
        Assert.Equal(InsertResult.OutOfSlabs, second.Insert(0, new byte[10], false));
        first.Consume(10);
        Assert.Equal(InsertResult.Ok, second.Insert(0, new byte[10], false));
    }

    [Fact]
    public void Reset_discards_and_finishes()
    {
        using var buffer = new ReceiveBuffer(_pool, 10L * Slab);
        buffer.Insert(0, new byte[100], false);
        buffer.Insert(3L * Slab, new byte[100], false);
        Assert.Equal(InsertResult.Ok, buffer.Reset(5L * Slab));
        Assert.True(buffer.Finished);
        Assert.Equal(0, _pool.Outstanding);
        Assert.Equal(InsertResult.Ok, buffer.Insert(10, new byte[10], false));
        Assert.Equal(0, _pool.Outstanding);
    }

    private static byte[] Pattern(int length)
    {
        byte[] bytes = new byte[length];
        new Random(1).NextBytes(bytes);
        return bytes;
    }
}
