using System.Net;
using Carrier.Core;
using Carrier.Net;

namespace Carrier.Tests.Net;

/// <summary>Where a server's socket is bound, so that it answers from the address it is asked at.</summary>
public class UdpBindingTests
{
    [Theory]
    [InlineData("0.0.0.0", "203.0.113.5:4242", "203.0.113.5:4242", "a machine with one address")]
    [InlineData("0.0.0.0", "203.0.113.5:4242", "203.0.113.5:4242 10.0.0.5:4242", "a private network beside the public one is served too")]
    [InlineData("203.0.113.5", "203.0.113.5:4242", "203.0.113.5:4242 203.0.113.9:4242", "the system could answer from the other")]
    [InlineData("0.0.0.0", "198.51.100.1:4242", "203.0.113.5:4242 203.0.113.9:4242", "port forwarding: not an address of this machine")]
    public void AnsweringFrom_binds_the_advertised_address_where_the_machine_has_another_like_it(string expected, string advertised, string own, string why)
    {
        UdpBinding binding = new UdpBinding().AnsweringFrom(Parse(advertised), [.. own.Split(' ').Select(Parse)]);
        Assert.True(IPAddress.Parse(expected).Equals(binding.IPv4), why);
        Assert.Equal(IPAddress.IPv6Any, binding.IPv6);
    }

    [Fact]
    public void AnsweringFrom_binds_one_of_several_IPv6_addresses_and_leaves_IPv4()
    {
        Endpoint[] own = [Parse("[2001:db8::5]:4242"), Parse("[2001:db8::6]:4242")];
        UdpBinding binding = new UdpBinding().AnsweringFrom(own[0], own);
        Assert.Equal(IPAddress.Parse("2001:db8::5"), binding.IPv6);
        Assert.Equal(IPAddress.Any, binding.IPv4);
    }

    [Fact]
    public void AnsweringFrom_keeps_an_address_that_was_told()
    {
        UdpBinding told = new() { IPv4 = IPAddress.Parse("203.0.113.9") };
        Assert.Equal(told, told.AnsweringFrom(Parse("203.0.113.5:4242"), [Parse("203.0.113.5:4242"), Parse("203.0.113.9:4242")]));
    }

    private static Endpoint Parse(string text) => Endpoint.TryParse(text, out Endpoint endpoint) ? endpoint : throw new ArgumentException(text);
}
