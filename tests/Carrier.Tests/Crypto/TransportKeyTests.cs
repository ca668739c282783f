using Carrier.Core.Crypto;

namespace Carrier.Tests.Crypto;

public sealed class TransportKeyTests
{
    [Fact]
    public void TryAgree_gives_the_secret_of_RFC_7748()
    {
        using var bob = TransportKey.Import(Convert.FromHexString("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
        PublicKey alice = new(Convert.FromHexString("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));
        byte[] shared = new byte[32];
        Assert.True(bob.TryAgree(alice, shared));
        Assert.Equal("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f", bob.Public.ToString());
        Assert.Equal("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742", Convert.ToHexStringLower(shared));
    }

    [Fact]
    public void TryAgree_refuses_every_point_of_low_order()
    {
        using var key = TransportKey.Generate(new CountingRandom(9));
        byte[] shared = new byte[32];
        Assert.All(LowOrderPoints.All, point => Assert.False(key.TryAgree(point, shared)));
    }

    [Fact]
    public void Import_of_an_export_is_the_same_key()
    {
        using var key = TransportKey.Generate(new CountingRandom(9));
        byte[] bytes = new byte[32];
        key.Export(bytes);
        using var again = TransportKey.Import(bytes);
        Assert.Equal(key.Public, again.Public);
    }

    [Fact]
    public void Export_after_Dispose_throws()
    {
        var key = TransportKey.Generate(new CountingRandom(9));
        key.Dispose();
        Assert.Throws<ObjectDisposedException>(() => key.Export(new byte[32]));
        Assert.Throws<ObjectDisposedException>(() => key.TryAgree(default, new byte[32]));
    }
}
