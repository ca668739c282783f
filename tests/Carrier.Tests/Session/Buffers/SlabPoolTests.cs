using Carrier.Core.Session.Buffers;

namespace Carrier.Tests.Session.Buffers;

public class SlabPoolTests
{
    [Fact]
    public void TryRent_reuses_up_to_the_retained_count_and_refuses_beyond_the_cap()
    {
        var pool = new SlabPool(maxSlabs: 3, maxRetained: 1);
        byte[][] slabs = new byte[3][];
        for (int i = 0; i < 3; i++)
        {
            Assert.True(pool.TryRent(out slabs[i]));
            Assert.Equal(SlabPool.SlabBytes, slabs[i].Length);
        }

        Assert.False(pool.TryRent(out _));
        Assert.Equal(3, pool.Outstanding);
        foreach (byte[] slab in slabs)
        {
            pool.Return(slab);
        }

        Assert.Equal(0, pool.Outstanding);
        Assert.Equal(1, pool.Retained);
        Assert.True(pool.TryRent(out byte[] again));
        Assert.Same(slabs[0], again);
    }

    [Fact]
    public void Trim_drops_what_nobody_needed_since_the_last_one()
    {
        var pool = new SlabPool(maxSlabs: 8, maxRetained: 8);
        UseAtOnce(pool, 5);
        pool.Trim();
        Assert.Equal(5, pool.Retained);

        UseAtOnce(pool, 2);
        pool.Trim();
        Assert.Equal(2, pool.Retained);

        pool.Trim();
        Assert.Equal(0, pool.Retained);
    }

    [Fact]
    public void Trim_leaves_steady_use_a_quarter_to_spare()
    {
        var pool = new SlabPool(maxSlabs: 16, maxRetained: 16);
        UseAtOnce(pool, 16);
        pool.Trim();

        UseAtOnce(pool, 8);
        pool.Trim();
        Assert.Equal(10, pool.Retained);
        UseAtOnce(pool, 8);
        pool.Trim();
        Assert.Equal(10, pool.Retained);
    }

    private static void UseAtOnce(SlabPool pool, int count)
    {
        byte[][] slabs = new byte[count][];
        for (int i = 0; i < count; i++)
        {
            Assert.True(pool.TryRent(out slabs[i]));
        }

        foreach (byte[] slab in slabs)
        {
            pool.Return(slab);
        }
    }
}
