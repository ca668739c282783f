using Carrier.Core;

namespace Carrier.Tests.Sdk;

public sealed class SeedAddressTests
{
    private const string Key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    [Theory]
    [InlineData(Key + "@seed.example:4242")]
    [InlineData(Key + "@192.0.2.1:1")]
    [InlineData(Key + "@[2001:db8::1]:65535")]
    public void TryParse_reads_what_ToString_writes(string text)
    {
        Assert.True(SeedAddress.TryParse(text, out SeedAddress address));
        Assert.Equal(text, address.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData(Key)]
    [InlineData(Key + "@")]
    [InlineData(Key + "@host")]
    [InlineData(Key + "@:1")]
    [InlineData(Key + "@host:0")]
    [InlineData(Key + "@host:65536")]
    [InlineData(Key + "@2001:db8::1:5")]
    [InlineData("zz" + Key + "@host:5")]
    [InlineData("xx0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f@host:5")]
    public void TryParse_refuses_anything_else(string text) => Assert.False(SeedAddress.TryParse(text, out _));

    [Fact]
    public void Constructor_takes_an_endpoint()
    {
        Assert.True(SeedAddress.TryParse(Key + "@192.0.2.1:5", out SeedAddress parsed));
        Assert.Equal(parsed, new SeedAddress(parsed.Key, Endpoint.FromIPv4(0xC0000201, 5)));
    }
}
