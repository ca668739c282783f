using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Nat;
using Carrier.Node.Homes;
using Carrier.Node.Relay;
using Carrier.Node.Serving;
using Carrier.Node.Transport;
using Carrier.Tests.Nat;
using Carrier.Tests.Node.Homes;

namespace Carrier.Tests.Node;

public sealed class DelayedKnocksTests
{
    private const int SealedOverhead = 80; // a sealed question carries at least its keys, nonce, tag and address token (docs/protocol.md §4)

    private static readonly UnixTime Wall = new(1_790_000_000);
    private static readonly PublicKey HomeKey = new([.. Enumerable.Repeat((byte)7, 32)]);
    private static readonly Endpoint Here = Addresses.Of("203.0.113.7:61000");
    private static readonly Endpoint Elsewhere = Addresses.Of("203.0.113.7:61001");
    private static readonly byte[] First = [.. Enumerable.Repeat((byte)1, StunMessage.TransactionIdBytes)];
    private static readonly byte[] Second = [.. Enumerable.Repeat((byte)2, StunMessage.TransactionIdBytes)];

    private readonly DropCounters _drops = new();
    private readonly FakeDevice _device = new(1);
    private readonly HomeServer _home;
    private readonly Outbox _outbox;
    private readonly DelayedKnocks _knocks;
    private readonly byte[] _answer = new byte[HomeServer.MaxAnswerBytes];
    private readonly byte[] _datagram = new byte[1500];

    public DelayedKnocksTests()
    {
        SeededRandom random = new();
        _home = new(HomeKey, FakeDevice.Verify, new RelayMachine(new(), random, _drops), new(), random, _drops);
        _outbox = new(_drops);
        _knocks = new(_home, new Knocks(_outbox, random, _drops), _drops);
        Register(0, _device, Here);
    }

    [Fact]
    public void HandleTimeout_knocks_once_after_the_delay_where_the_device_asked_from_and_with_less_than_was_asked()
    {
        Assert.Equal(KnockStatus.Sent, Ask(1, _device, Here, First, 30, out int asked));
        Assert.Equal(Addresses.At(31), _knocks.NextDeadline);
        Assert.Empty(KnocksAt(30.999));
        (Endpoint to, byte[] transaction, int bytes) = Assert.Single(KnocksAt(31));
        Assert.Equal(Here, to);
        Assert.Equal(First, transaction);
        Assert.InRange(bytes, 1, asked + SealedOverhead);
        Assert.Equal(Instant.Never, _knocks.NextDeadline);
    }

    [Fact]
    public void Answer_asked_again_the_newest_knock_alone_comes()
    {
        _ = Ask(1, _device, Here, First, 30, out _);
        _ = Ask(2, _device, Here, First, 30, out _); // repeated, since the answer was lost: the silence begins with the last word
        Assert.Empty(KnocksAt(31));
        Assert.Single(KnocksAt(32));
        _ = Ask(40, _device, Here, First, 30, out _);
        _ = Ask(41, _device, Here, Second, 10, out _);
        Assert.Equal(Second, Assert.Single(KnocksAt(51)).Transaction);
        Assert.Empty(KnocksAt(100));
    }

    [Fact]
    public void Answer_who_is_not_registered_where_he_asks_from_gets_no_knock()
    {
        Assert.Equal(KnockStatus.NotRegistered, Ask(1, new FakeDevice(2), Here, First, 30, out _));
        Assert.Equal(KnockStatus.NotRegistered, Ask(1, _device, Elsewhere, First, 30, out _));
        Assert.Equal(Instant.Never, _knocks.NextDeadline);
        Assert.Equal(2, _drops[DropReason.NotAuthorized]);
    }

    [Fact]
    public void HandleTimeout_a_device_that_moved_or_left_meanwhile_gets_no_knock()
    {
        _ = Ask(1, _device, Here, First, 30, out _);
        Register(10, _device, Elsewhere);
        Assert.Empty(KnocksAt(31));

        _ = Ask(40, _device, Elsewhere, First, 30, out _);
        Tell(50, HomeMethod.Unregister, _device, Elsewhere);
        Register(51, _device, Elsewhere);
        Assert.Empty(KnocksAt(70));
        Assert.Equal(Instant.Never, _knocks.NextDeadline);
    }

    [Fact]
    public void Answer_one_network_gets_a_rate_and_what_waits_is_bounded_by_it()
    {
        int taken = 0;
        for (int i = 0; i < 10_000; i++)
        {
            taken += Ask(1 + (i / 1e3), _device, Here, [.. First[2..], (byte)i, (byte)(i >> 8)], 30, out _) == KnockStatus.Sent ? 1 : 0;
        }

        Assert.InRange(taken, 256, 256 + 80 + 1);
        Assert.Single(KnocksAt(41)); // one a registration
    }

    [Theory]
    [InlineData(0)]
    [InlineData(31)]
    public void Answer_a_delay_out_of_bounds_is_malformed(int seconds)
    {
        byte[] body = new byte[KnockLaterQuestion.MaxBytes];
        int bytes = new KnockLaterQuestion { Device = _device.ExchangeKey, TransactionId = First, DelaySeconds = seconds }.Encode(body);
        Assert.Equal(0, _knocks.Answer(Instant.Zero, Here, body.AsSpan(0, bytes), _answer));
        Assert.Equal(1, _drops[DropReason.Malformed]);
        Assert.Equal(Instant.Never, _knocks.NextDeadline);
    }

    private void Register(double seconds, FakeDevice device, Endpoint at) => Tell(seconds, HomeMethod.Register, device, at);

    private void Tell(double seconds, HomeMethod method, FakeDevice device, Endpoint at)
    {
        UnixTime wall = Wall + TimeSpan.FromSeconds(seconds);
        int bytes = _home.Answer(Addresses.At(seconds), wall, at, method, device.Question(method, HomeKey, wall), _answer);
        Assert.True(RegisterAnswer.TryParse(_answer.AsSpan(0, bytes), out RegisterAnswer answer));
        Assert.Equal(RegisterStatus.Done, answer.Status);
    }

    private KnockStatus Ask(double seconds, FakeDevice device, Endpoint from, byte[] transaction, int delay, out int asked)
    {
        byte[] body = new byte[KnockLaterQuestion.MaxBytes];
        asked = new KnockLaterQuestion { Device = device.ExchangeKey, TransactionId = transaction, DelaySeconds = delay }.Encode(body);
        int bytes = _knocks.Answer(Addresses.At(seconds), from, body.AsSpan(0, asked), _answer);
        Assert.True(KnockAnswer.TryParse(_answer.AsSpan(0, bytes), out KnockAnswer answer));
        return answer.Status;
    }

    private List<(Endpoint To, byte[] Transaction, int Bytes)> KnocksAt(double seconds)
    {
        _knocks.HandleTimeout(Addresses.At(seconds));
        List<(Endpoint, byte[], int)> sent = [];
        while (_outbox.TryTransmit(_datagram, out Transmit transmit))
        {
            Assert.Equal(0, transmit.Path.Socket);
            Assert.True(StunMessage.TryParse(_datagram.AsSpan(0, transmit.Bytes), out StunMessage message));
            sent.Add((transmit.Path.Remote, message.TransactionId.ToArray(), transmit.Bytes));
        }

        return sent;
    }
}
