using Carrier.Fuzz.Targets;
using Carrier.Nat;

namespace Carrier.Tests.Nat;

public sealed class StunMessageTests
{
    [Fact]
    public void TryParse_rfc5769_request_is_understood_but_for_priority()
    {
        Assert.True(StunMessage.TryParse(NatVectors.Get("stun-rfc5769-request"), out StunMessage message));
        Assert.Equal(StunClass.Request, message.Class);
        Assert.True(message.IsBinding);
        Assert.True(message.HasFingerprint);
        Assert.Equal("STUN test client"u8, message.Software);
        Assert.Equal([0x0024], message.UnknownRequired.ToArray());
    }

    [Theory]
    [InlineData("stun-rfc5769-response-ipv4", "192.0.2.1:32853")]
    [InlineData("stun-rfc5769-response-ipv6", "[2001:db8:1234:5678:11:2233:4455:6677]:32853")]
    public void TryParse_rfc5769_response_yields_the_mapped_address(string vector, string expected)
    {
        Assert.True(StunMessage.TryParse(NatVectors.Get(vector), out StunMessage message));
        Assert.Equal(StunClass.Success, message.Class);
        Assert.Equal(Addresses.Of(expected), message.MappedAddress);
        Assert.Equal("test vector"u8, message.Software);
    }

    [Theory]
    [InlineData("stun-rfc5769-request")]
    [InlineData("stun-rfc5769-response-ipv4")]
    [InlineData("stun-rfc5769-response-ipv6")]
    public void TryParse_any_flipped_bit_under_a_fingerprint_is_refused(string vector)
    {
        byte[] golden = NatVectors.Get(vector);
        for (int bit = 0; bit < golden.Length * 8; bit++)
        {
            byte[] flipped = (byte[])golden.Clone();
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            bool parsed = StunMessage.TryParse(flipped, out StunMessage message);
            // A flip in the attribute's own type makes it another, optional attribute: parsed, and without a fingerprint.
            Assert.False(parsed && message.HasFingerprint, $"bit {bit}");
        }
    }

    [Fact]
    public void TryParse_hostile_bytes_never_throws()
    {
        HostileInput.Feed(NatVectors.Get("stun-rfc5769-request"), NatTargets.StunMessageParse);
        HostileInput.Feed(NatVectors.Get("stun-rfc5769-response-ipv6"), NatTargets.StunMessageParse);
        HostileInput.Feed(NatVectors.Get("stun-rfc5769-request"), NatTargets.StunServerAnswer);
    }

    [Theory]
    [InlineData("203.0.113.7:61000")]
    [InlineData("[2001:db8::7]:4433")]
    public void Write_every_attribute_reads_back(string mapped)
    {
        byte[] buffer = new byte[200];
        byte[] transaction = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        StunWriter writer = new(buffer, StunClass.Success, StunMessage.BindingMethod, transaction);
        writer.WriteSoftware("Carrier"u8);
        writer.WriteMappedAddress(Addresses.Of("192.0.2.9:9"));
        writer.WriteXorMappedAddress(Addresses.Of(mapped));
        writer.WriteFingerprint();
        Assert.False(writer.Overflowed);

        Assert.True(StunMessage.TryParse(buffer.AsSpan(0, writer.Written), out StunMessage message));
        Assert.Equal(Addresses.Of(mapped), message.MappedAddress);
        Assert.Equal("Carrier"u8, message.Software);
        Assert.Equal(transaction, message.TransactionId.ToArray());
        Assert.True(message.HasFingerprint);
    }

    [Fact]
    public void Write_into_every_short_buffer_overflows_without_throwing()
    {
        for (int length = 0; length < 44; length++)
        {
            StunWriter writer = new(new byte[length], StunClass.Success, StunMessage.BindingMethod, new byte[12]);
            writer.WriteXorMappedAddress(Addresses.Of("[2001:db8::7]:4433"));
            Assert.True(writer.Overflowed);
        }
    }
}
