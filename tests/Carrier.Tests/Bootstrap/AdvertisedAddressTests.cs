using System.Net;
using Carrier.Core;
using Carrier.Seed;
using Carrier.Seed.Configuration;

namespace Carrier.Tests.Bootstrap;

public sealed class AdvertisedAddressTests
{
    [Theory]
    [InlineData("127.0.0.1:4242", "203.0.113.9", "127.0.0.1:4242")]
    [InlineData("0.0.0.0:4242", "127.0.0.1 ::1 10.0.0.5 203.0.113.9", "203.0.113.9:4242")]
    [InlineData("0.0.0.0:4242", "127.0.0.1 172.18.0.2 fe80::1", "172.18.0.2:4242")]
    [InlineData("0.0.0.0:4242", "10.0.0.5 2001:db8::1", "10.0.0.5:4242")]
    [InlineData("[::]:4242", "10.0.0.5 2001:db8::1", "[2001:db8::1]:4242")]
    [InlineData("[::]:4242", "203.0.113.9 2001:db8::1", "203.0.113.9:4242")]
    [InlineData("0.0.0.0:4242", "203.0.113.9 203.0.113.10", "")]
    [InlineData("0.0.0.0:4242", "10.0.0.5 10.0.1.5", "")]
    [InlineData("0.0.0.0:4242", "127.0.0.1", "")]
    [InlineData("0.0.0.0:0", "203.0.113.9", "")]
    public void TryChoose_takes_the_only_address_there_is(string listen, string addresses, string expected)
    {
        SeedConfig config = new() { Listen = IPEndPoint.Parse(listen) };

        bool isChosen = AdvertisedAddress.TryChoose(config, addresses.Split(' ').Select(IPAddress.Parse), out Endpoint chosen);

        Assert.Equal(expected.Length > 0, isChosen);
        Assert.Equal(expected, isChosen ? chosen.ToString() : "");
    }

    [Fact]
    public void TryChoose_takes_what_it_was_told()
    {
        Assert.True(Endpoint.TryParse("198.51.100.1:7", out Endpoint told));

        Assert.True(AdvertisedAddress.TryChoose(new SeedConfig { Advertise = told }, [], out Endpoint chosen));
        Assert.Equal(told, chosen);
    }
}
