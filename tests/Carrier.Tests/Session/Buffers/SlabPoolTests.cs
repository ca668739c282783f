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
}
