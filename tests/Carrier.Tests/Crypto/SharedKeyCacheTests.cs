using Carrier.Core.Crypto;
using CsCheck;

namespace Carrier.Tests.Crypto;

public sealed class SharedKeyCacheTests
{
    [Fact]
    public void Add_of_many_one_time_peers_leaves_those_used_twice()
    {
        using SharedKeyCache cache = new(64);
        for (int i = 0; i < 40; i++)
        {
            cache.Add(Peer(i), Keys(i));
            Assert.True(cache.TryUse(Peer(i), out _));
        }

        for (int i = 1000; i < 3000; i++)
        {
            cache.Add(Peer(i), Keys(i));
        }

        Assert.Equal(64, cache.Count);
        for (int i = 0; i < 40; i++)
        {
            Assert.True(cache.TryUse(Peer(i), out ReadOnlySpan<byte> keys));
            Assert.Equal(Keys(i), keys.ToArray());
        }
    }

    [Fact]
    public void Any_order_of_uses_and_adds_keeps_the_bound_and_the_right_keys() => Gen.Int[0, 40].Array[0, 300].Sample(order =>
    {
        using SharedKeyCache cache = new(16);
        foreach (int i in order)
        {
            if (cache.TryUse(Peer(i), out ReadOnlySpan<byte> keys))
            {
                Assert.Equal(Keys(i), keys.ToArray());
            }
            else
            {
                cache.Add(Peer(i), Keys(i));
                Assert.True(cache.TryUse(Peer(i), out _));
            }

            Assert.InRange(cache.Count, 1, 16);
        }
    });

    private static PublicKey Peer(int i)
    {
        byte[] bytes = new byte[32];
        BitConverter.TryWriteBytes(bytes, i);
        return new PublicKey(bytes);
    }

    private static byte[] Keys(int i) => Enumerable.Repeat((byte)i, SharedKeyCache.EntryBytes).ToArray();
}
