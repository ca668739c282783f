using System.Buffers.Binary;
using System.Net;
using Carrier.Core;
using CsCheck;

namespace Carrier.Tests.Wire;

public sealed class EndpointTests
{
    [Theory]
    [InlineData("1.2.3.4:5", "1.2.3.4:5")]
    [InlineData("[2001:db8::1]:65535", "[2001:db8::1]:65535")]
    [InlineData("[::ffff:1.2.3.4]:5", "1.2.3.4:5")] // a mapped address is the IPv4 one
    [InlineData("[::]:0", "[::]:0")]
    public void TryParse_reads_an_address_and_port(string text, string written)
    {
        Assert.True(Endpoint.TryParse(text, out Endpoint endpoint));
        Assert.Equal(written == "[::]:0" ? "none" : written, endpoint.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("1.2.3.4")]
    [InlineData("1.2.3.4:")]
    [InlineData("1.2.3.4:65536")]
    [InlineData("1.2.3.4:-1")]
    [InlineData("1.2.3.4:+1")]
    [InlineData("1.2.3.4: 1")]
    [InlineData(":5")]
    [InlineData("2001:db8::1:5")]
    [InlineData("[1.2.3.4]x:5")]
    [InlineData("[]:5")]
    [InlineData("example.org:5")]
    public void TryParse_anything_else_is_refused(string text) => Assert.False(Endpoint.TryParse(text, out _));

    [Theory]
    [InlineData("0.0.0.0", AddressScope.Unusable)]
    [InlineData("0.1.2.3", AddressScope.Unusable)]
    [InlineData("224.0.0.1", AddressScope.Unusable)]
    [InlineData("255.255.255.255", AddressScope.Unusable)]
    [InlineData("127.0.0.1", AddressScope.Loopback)]
    [InlineData("127.255.255.255", AddressScope.Loopback)]
    [InlineData("169.254.169.254", AddressScope.LinkLocal)]
    [InlineData("10.255.0.1", AddressScope.Private)]
    [InlineData("172.15.0.1", AddressScope.Global)]
    [InlineData("172.16.0.1", AddressScope.Private)]
    [InlineData("172.31.255.255", AddressScope.Private)]
    [InlineData("172.32.0.1", AddressScope.Global)]
    [InlineData("192.168.0.1", AddressScope.Private)]
    [InlineData("192.169.0.1", AddressScope.Global)]
    [InlineData("100.64.0.1", AddressScope.Private)]
    [InlineData("100.127.255.255", AddressScope.Private)]
    [InlineData("100.128.0.1", AddressScope.Global)]
    [InlineData("8.8.8.8", AddressScope.Global)]
    [InlineData("::", AddressScope.Unusable)]
    [InlineData("::1", AddressScope.Loopback)]
    [InlineData("::2", AddressScope.Unusable)]
    [InlineData("::127.0.0.1", AddressScope.Unusable)] // v4-compatible, deprecated
    [InlineData("::ffff:127.0.0.1", AddressScope.Loopback)]
    [InlineData("::ffff:169.254.169.254", AddressScope.LinkLocal)]
    [InlineData("fe80::1", AddressScope.LinkLocal)]
    [InlineData("febf::1", AddressScope.LinkLocal)]
    [InlineData("fc00::1", AddressScope.Private)]
    [InlineData("fdff::1", AddressScope.Private)]
    [InlineData("ff02::1", AddressScope.Unusable)]
    [InlineData("64:ff9b::7f00:1", AddressScope.Unusable)]
    [InlineData("64:ff9b:1::7f00:1", AddressScope.Unusable)]
    [InlineData("2001:db8::1", AddressScope.Global)]
    public void Scope_says_how_far_an_address_reaches(string address, AddressScope scope) =>
        Assert.Equal(scope, Endpoint.From(new IPEndPoint(IPAddress.Parse(address), 1)).Scope);

    [Fact]
    public void SourceUnit_is_a_24_or_a_48()
    {
        Assert.Equal(Parse("192.0.2.0:0"), Parse("192.0.2.77:5").SourceUnit);
        Assert.Equal(Parse("[2001:db8:1::]:0"), Parse("[2001:db8:1:2:3::4]:5").SourceUnit);
        Assert.NotEqual(Parse("192.0.3.1:5").SourceUnit, Parse("192.0.2.1:5").SourceUnit);
    }

    [Fact]
    public void Bytes_text_and_the_platforms_form_read_back() =>
        Gen.Select(Gen.Frequency((1, Gen.Byte.Array[4]), (1, Gen.Byte.Array[16])), Gen.UShort).Sample((address, port) =>
        {
            Assert.True(Endpoint.TryFromBytes(address, port, out Endpoint endpoint));
            Span<byte> bytes = stackalloc byte[16];
            return Endpoint.TryFromBytes(bytes[..endpoint.WriteAddress(bytes)], endpoint.Port, out Endpoint fromBytes)
                && fromBytes == endpoint
                && Endpoint.From(endpoint.ToIPEndPoint()) == endpoint
                && (endpoint.IsNone || (Endpoint.TryParse(endpoint.ToString(), out Endpoint fromText) && fromText == endpoint));
        });

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(15)]
    [InlineData(17)]
    public void TryFromBytes_other_lengths_are_refused(int length) => Assert.False(Endpoint.TryFromBytes(new byte[length], 1, out _));

    [Fact]
    public void GetHashCode_of_endpoints_that_are_alike_hardly_ever_collides()
    {
        // Families that a hash of folded halves, or of the port xored in, maps to one value.
        HashSet<int> hashes = [];
        const int count = 4_096;
        for (uint i = 0; i < count; i++)
        {
            _ = hashes.Add(Endpoint.FromIPv4(0x0A00_0000 | i, 4000).GetHashCode());
            _ = hashes.Add(Endpoint.FromIPv4(0x0A00_0000, (ushort)i).GetHashCode());
            _ = hashes.Add(FromHalves(0x2001_0DB8_0000_0000, ((ulong)i << 32) | i).GetHashCode());
            _ = hashes.Add(FromHalves(0x2001_0DB8_0000_0000UL | i, i).GetHashCode());
        }

        // Of 16,384 random 32-bit values one in thirty runs sees a single pair collide.
        Assert.InRange(hashes.Count, (4 * count) - 16, 4 * count);
    }

    [Fact]
    public void GetHashCode_of_equal_endpoints_is_equal_and_allocates_nothing()
    {
        Endpoint v4 = Parse("192.0.2.1:5");
        Endpoint mapped = Parse("[::ffff:192.0.2.1]:5");
        Assert.Equal(v4.GetHashCode(), mapped.GetHashCode());
        Assert.Equal(0, AllocatedBytes.LeastOf(() => _ = v4.GetHashCode()));
    }

    private static Endpoint FromHalves(ulong high, ulong low)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, high);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], low);
        Assert.True(Endpoint.TryFromBytes(bytes, 443, out Endpoint endpoint));
        return endpoint;
    }

    private static Endpoint Parse(string text)
    {
        Assert.True(Endpoint.TryParse(text, out Endpoint endpoint));
        return endpoint;
    }
}
