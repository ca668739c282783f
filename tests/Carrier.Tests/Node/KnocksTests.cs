using Carrier.Core;
using Carrier.Nat;
using Carrier.Node.Homes;
using Carrier.Node.Serving;
using Carrier.Node.Transport;
using Carrier.Tests.Nat;

namespace Carrier.Tests.Node;

public sealed class KnocksTests
{
    private static readonly byte[] Transaction = [.. Enumerable.Range(0, StunMessage.TransactionIdBytes).Select(i => (byte)i)];

    private readonly DropCounters _drops = new();
    private readonly Outbox _outbox;
    private readonly Knocks _knocks;
    private readonly byte[] _datagram = new byte[1500];

    public KnocksTests()
    {
        _outbox = new Outbox(_drops);
        _knocks = new Knocks(_outbox, new SeededRandom(), _drops);
    }

    [Theory]
    [InlineData(false, 0)]
    [InlineData(true, Knocks.OtherSocket)]
    public void Answer_knocks_at_the_port_named_of_the_address_that_asked_and_with_less_than_was_asked(bool fromOtherPort, int socket)
    {
        int asked = Ask(0, "203.0.113.7:61000", 61001, fromOtherPort, out KnockStatus status);
        Assert.Equal(KnockStatus.Sent, status);
        Assert.True(_outbox.TryTransmit(_datagram, out Transmit sent));
        Assert.Equal(new NetworkPath(Addresses.Of("203.0.113.7:61001"), Socket: (ushort)socket), sent.Path);
        Assert.True(StunMessage.TryParse(_datagram.AsSpan(0, sent.Bytes), out StunMessage message));
        Assert.True(message.TransactionId.SequenceEqual(Transaction));
        Assert.Equal(Addresses.Of("203.0.113.7:61001"), message.MappedAddress);
        Assert.InRange(sent.Bytes, 1, asked + SealedOverhead);
        Assert.False(_outbox.TryTransmit(_datagram, out _));
    }

    [Fact]
    public void Answer_one_network_gets_a_rate_and_others_their_own()
    {
        int sent = 0;
        for (int i = 0; i < 10_000; i++)
        {
            _ = Ask(i / 1e3, $"203.0.113.{i % 250}:61000", 61001, fromOtherPort: false, out KnockStatus status);
            sent += status == KnockStatus.Sent ? 1 : 0;
            while (_outbox.TryTransmit(_datagram, out _))
            {
            }
        }

        Assert.InRange(sent, 256, 256 + 80 + 1);
        _ = Ask(10, "198.51.100.7:61000", 61001, fromOtherPort: false, out KnockStatus other);
        Assert.Equal(KnockStatus.Sent, other);
    }

    [Fact]
    public void Answer_malformed_is_dropped()
    {
        Assert.Equal(0, _knocks.Answer(Instant.Zero, Addresses.Of("203.0.113.7:61000"), [0xA0], new byte[64]));
        Assert.Equal(1, _drops[DropReason.Malformed]);
        Assert.False(_outbox.TryTransmit(_datagram, out _));
    }

    // A sealed question carries at least its keys, nonce, tag and address token (docs/protocol.md §4).
    private const int SealedOverhead = 80;

    private int Ask(double seconds, string from, ushort port, bool fromOtherPort, out KnockStatus status)
    {
        byte[] body = new byte[KnockQuestion.MaxBytes];
        byte[] answer = new byte[HomeServer.MaxAnswerBytes];
        int bytes = new KnockQuestion { Port = port, TransactionId = Transaction, FromOtherPort = fromOtherPort }.Encode(body);
        int answered = _knocks.Answer(Addresses.At(seconds), Addresses.Of(from), body.AsSpan(0, bytes), answer);
        Assert.True(KnockAnswer.TryParse(answer.AsSpan(0, answered), out KnockAnswer read));
        status = read.Status;
        return bytes;
    }
}
