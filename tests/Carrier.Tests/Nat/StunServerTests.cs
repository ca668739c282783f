using Carrier.Core;
using Carrier.Nat;

namespace Carrier.Tests.Nat;

public sealed class StunServerTests
{
    private static readonly byte[] Transaction = [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2];

    private readonly DropCounters _drops = new();
    private readonly byte[] _answer = new byte[StunServer.MaxAnswerBytes];

    [Theory]
    [InlineData("203.0.113.7:61000", false, 32)]
    [InlineData("203.0.113.7:61000", true, 40)]
    [InlineData("[2001:db8::7]:4433", false, 44)]
    [InlineData("[2001:db8::7]:4433", true, 52)]
    public void TryAnswer_binding_request_tells_the_source_and_nothing_else(string remote, bool fingerprint, int expectedBytes)
    {
        byte[] request = Request(fingerprint);
        Assert.True(Server().TryAnswer(Instant.Zero, Addresses.Of(remote), request, _answer, out int bytes));
        Assert.Equal(expectedBytes, bytes);
        Assert.True(StunMessage.TryParse(_answer.AsSpan(0, bytes), out StunMessage message));
        Assert.Equal(Addresses.Of(remote), message.MappedAddress);
        Assert.Equal(fingerprint, message.HasFingerprint);
        Assert.Equal(Transaction, message.TransactionId.ToArray());
    }

    [Fact]
    public void TryAnswer_unknown_required_attributes_are_refused_with_420()
    {
        // CHANGE-REQUEST asking for another address and port, and RESPONSE-PORT: answers never go elsewhere.
        byte[] request = [.. Request(false), 0, 3, 0, 4, 0, 0, 0, 6, 0, 0x27, 0, 4, 0, 53, 0, 0];
        request[3] = 16;
        Assert.True(Server().TryAnswer(Instant.Zero, Addresses.Of("203.0.113.7:61000"), request, _answer, out int bytes));
        Assert.True(StunMessage.TryParse(_answer.AsSpan(0, bytes), out StunMessage message));
        Assert.Equal((StunClass.Error, 420), (message.Class, message.ErrorCode));
        Assert.Equal<byte>([0, 10, 0, 4, 0, 3, 0, 0x27], _answer.AsSpan(28, 8).ToArray());
        Assert.True(bytes <= request.Length);
    }

    [Fact]
    public void TryAnswer_change_request_that_changes_nothing_is_served()
    {
        byte[] request = [.. Request(false), 0, 3, 0, 4, 0, 0, 0, 0];
        request[3] = 8;
        Assert.True(Server().TryAnswer(Instant.Zero, Addresses.Of("203.0.113.7:61000"), request, _answer, out int bytes));
        Assert.Equal(32, bytes);
    }

    [Fact]
    public void TryAnswer_answers_and_indications_get_silence()
    {
        StunServer server = Server();
        Assert.False(server.TryAnswer(Instant.Zero, Addresses.Of("203.0.113.7:1"), NatVectors.Get("stun-rfc5769-response-ipv4"), _answer, out _));
        byte[] indication = Request(false);
        indication[1] = 0x11;
        Assert.False(server.TryAnswer(Instant.Zero, Addresses.Of("203.0.113.7:1"), indication, _answer, out _));
        Assert.Equal(1, _drops[DropReason.Unsolicited]);
        Assert.Equal(1, _drops[DropReason.NotForUs]);
    }

    [Theory]
    [InlineData("0.0.0.0:5")]
    [InlineData("224.0.0.1:5")]
    [InlineData("255.255.255.255:5")]
    [InlineData("203.0.113.7:0")]
    [InlineData("[::]:5")]
    [InlineData("[ff02::1]:5")]
    [InlineData("[64:ff9b::a9fe:a9fe]:5")]
    public void TryAnswer_impossible_sources_get_silence(string remote)
    {
        Assert.False(Server().TryAnswer(Instant.Zero, Addresses.Of(remote), Request(false), _answer, out _));
        Assert.Equal(1, _drops[DropReason.ScopeMismatch]);
    }

    [Fact]
    public void TryAnswer_flood_spoofed_from_a_victims_network_is_capped_and_others_are_served()
    {
        StunServer server = Server();
        long sent = 0;
        for (int i = 0; i < 100_000; i++)
        {
            Endpoint victim = Endpoint.FromIPv4(0xCB00_7100u + (uint)(i % 256), (ushort)(1 + i % 60000));
            sent += server.TryAnswer(Addresses.At(i / 10_000.0), victim, Request(false), _answer, out int bytes) ? bytes : 0;
        }

        double allowed = StunServer.RatePerSourceUnit.Burst + (10 * StunServer.RatePerSourceUnit.PerSecond);
        Assert.InRange(sent, 1, (long)(allowed + 1) * 32);
        Assert.True(server.TryAnswer(Addresses.At(10), Addresses.Of("198.51.100.1:5"), Request(false), _answer, out _));
    }

    private StunServer Server() => new(new SeededRandom(), _drops);

    private static byte[] Request(bool fingerprint)
    {
        byte[] request = new byte[28];
        return request[..StunMessage.WriteBindingRequest(request, Transaction, fingerprint)];
    }
}
