using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Nat;
using Carrier.Node.Homes;
using Carrier.Tests.Nat;

namespace Carrier.Tests.Node.Homes;

public sealed class HomeMachineTests
{
    private static readonly UnixTime Wall = new(1_790_000_000);
    private static readonly Endpoint Self = Addresses.Of("203.0.113.7:61000");
    private static readonly TimeSpan Rtt = TimeSpan.FromMilliseconds(20);

    private readonly FakeDevice _device = new(1);
    private readonly HomeMachine _machine;
    private readonly byte[] _buffer = new byte[1500];
    private Instant _now = Instant.Zero;

    public HomeMachineTests() => _machine = new(
        _device.Delegation, (message, signature) => FakeDevice.Sign(_device.Delegation, message, signature),
        new(Instant.Zero, Wall), new SeededRandom(), new());

    [Fact]
    public void HandleTimeout_chooses_the_three_fastest_of_distinct_source_units()
    {
        Offer(1, "198.51.100.1:1", 50);
        Offer(2, "198.51.100.2:1", 10); // the same /24 as the first, and faster
        Offer(3, "192.0.2.1:1", 90);
        Offer(4, "9.9.9.9:1", 30);
        Offer(5, "8.8.8.8:1", 20);
        Assert.Equal([Key(2), Key(5), Key(4)], Wake().Select(ask => ask.Home.Key));
    }

    [Fact]
    public void Answered_makes_homes_that_the_record_can_name_and_whose_proof_holds()
    {
        Offer(1, "198.51.100.1:1", 50);
        HomeEffect ask = Assert.Single(Wake());
        Assert.True(RegisterQuestion.TryParse(ask.Body.Span, out RegisterQuestion question));
        byte[] message = new byte[HomeProof.Bytes];
        HomeProof.Write(message, HomeMethod.Register, Key(1), question.Time);
        Assert.True(FakeDevice.Verify(question.Delegation, message, question.Signature, Wall, out _));

        Answer(ask, RegisterStatus.Done);
        Assert.True(_machine.TryEffect(out HomeEffect changed));
        Assert.Equal(HomeEffectKind.HomesChanged, changed.Kind);
        HomeContact[] homes = new HomeContact[3];
        Assert.Equal(1, _machine.CopyHomes(homes));
        Assert.Equal(ask.Home, homes[0]);
        Assert.True(_machine.IsHome(ask.Home.Endpoint));
    }

    [Fact]
    public void HandleTimeout_renews_at_half_the_lease_and_keeps_the_mapping_open_meanwhile()
    {
        RegisterAt(1, "198.51.100.1:1");
        List<double> keepAlives = [];
        List<HomeEffect> asks = [];
        while (asks.Count == 0)
        {
            asks = Wake();
            while (_machine.TryTransmit(_now, _buffer, out Transmit transmit))
            {
                keepAlives.Add(_now.Nanoseconds / 1e9);
                Assert.True(_machine.TryHandleStun(_now, transmit.Path.Remote, StunAnswer(transmit.Bytes, Self), out Endpoint observed));
                Assert.Equal(Self, observed);
            }
        }

        Assert.InRange(_now.Nanoseconds / 1e9, 134, 166); // half of 300 s, a tenth either way
        Assert.All(keepAlives.Zip(keepAlives.Skip(1), (a, b) => b - a), gap => Assert.InRange(gap, 13.4, 16.6));
        Assert.InRange(keepAlives.Count, 8, 12);
    }

    [Fact]
    public void TryHandleStun_a_changed_endpoint_registers_again_at_once()
    {
        RegisterAt(1, "198.51.100.1:1");
        Transmit transmit = NextKeepAlive();
        byte[] answer = StunAnswer(transmit.Bytes, Addresses.Of("203.0.113.7:61999"));
        Assert.False(_machine.TryHandleStun(_now, Addresses.Of("6.6.6.6:1"), answer, out _)); // not from the home
        byte[] wrong = (byte[])answer.Clone();
        wrong[8] ^= 1;
        Assert.False(_machine.TryHandleStun(_now, transmit.Path.Remote, wrong, out _)); // not our transaction
        Assert.Empty(Effects());
        Assert.True(_machine.TryHandleStun(_now, transmit.Path.Remote, answer, out _));
        Assert.Equal(HomeMethod.Register, Assert.Single(Effects()).Method);
        Assert.False(_machine.TryHandleStun(_now, transmit.Path.Remote, answer, out _)); // answered already
    }

    [Fact]
    public void Refresh_a_home_reached_another_way_is_told_at_once()
    {
        RegisterAt(1, "198.51.100.1:1");
        _machine.Refresh(_now, Addresses.Of("6.6.6.6:1"));
        Assert.Empty(Effects());
        _machine.Refresh(_now, Addresses.Of("198.51.100.1:1"));
        Assert.Equal(HomeMethod.Register, Assert.Single(Effects()).Method);
    }

    [Fact]
    public void Refresh_a_node_given_up_is_tried_again_at_once()
    {
        Offer(1, "198.51.100.1:1", 20);
        while (_machine.NextDeadline - _now < HomeCandidates.FirstCoolDown / 2)
        {
            foreach (HomeEffect ask in Wake())
            {
                _machine.Failed(_now, ask.Home.Key);
            }
        }

        _machine.Refresh(_now, Addresses.Of("198.51.100.1:1"));
        Assert.Equal(_now, _machine.NextDeadline);
        Assert.Equal(Key(1), Assert.Single(Wake()).Home.Key);
    }

    [Fact]
    public void Failed_a_silent_home_is_found_out_and_replaced()
    {
        RegisterAt(1, "198.51.100.1:1");
        RegisterAt(2, "192.0.2.1:1");
        RegisterAt(3, "9.9.9.9:1");
        Offer(4, "8.8.8.8:1", 70);
        Instant start = _now;
        while (_machine.IsHome(Addresses.Of("198.51.100.1:1")))
        {
            foreach (HomeEffect ask in Wake())
            {
                if (ask.Home.Key == Key(1))
                {
                    _machine.Failed(_now, Key(1));
                }
                else
                {
                    Answer(ask, RegisterStatus.Done);
                }
            }

            while (_machine.TryTransmit(_now, _buffer, out Transmit transmit))
            {
                if (transmit.Path.Remote != Addresses.Of("198.51.100.1:1"))
                {
                    Assert.True(_machine.TryHandleStun(_now, transmit.Path.Remote, StunAnswer(transmit.Bytes, Self), out _));
                }
            }
        }

        Assert.InRange((_now - start).TotalSeconds, 20, 32);
        Assert.Contains(Effects(), effect => effect.Home.Key == Key(4));
    }

    [Fact]
    public void Answered_clock_skew_signs_again_with_the_homes_time()
    {
        Offer(1, "198.51.100.1:1", 50);
        UnixTime homeTime = Wall + TimeSpan.FromDays(365);
        Answer(Assert.Single(Wake()), RegisterStatus.ClockSkew, homeTime);
        HomeEffect again = Assert.Single(Effects());
        Assert.True(RegisterQuestion.TryParse(again.Body.Span, out RegisterQuestion question));
        Assert.Equal(homeTime, question.Time);
        Answer(again, RegisterStatus.ClockSkew, homeTime);
        Assert.Empty(Effects()); // a home that never agrees is left
        Assert.False(_machine.IsHome(again.Home.Endpoint));
    }

    [Fact]
    public void Answered_garbage_refusals_and_tiny_leases_make_no_storm()
    {
        Offer(1, "198.51.100.1:1", 50);
        int asks = 0;
        foreach (byte[] body in (byte[][])[[], [0xFF], Body(RegisterStatus.Full, TimeSpan.Zero, Wall), Body(RegisterStatus.Done, TimeSpan.Zero, Wall)])
        {
            for (int wakes = 0; wakes < 50 && _now < Addresses.At(600); wakes++)
            {
                foreach (HomeEffect ask in Wake())
                {
                    asks++;
                    _machine.Answered(_now, ask.Home.Key, body, Rtt);
                }

                while (_machine.TryTransmit(_now, _buffer, out _))
                {
                }
            }
        }

        Assert.InRange(asks, 4, 60); // in ten minutes
    }

    [Fact]
    public void Answered_unasked_is_ignored()
    {
        RegisterAt(1, "198.51.100.1:1");
        _machine.Answered(_now, Key(1), Body(RegisterStatus.BadProof, TimeSpan.Zero, Wall), Rtt);
        _machine.Answered(_now, Key(9), Body(RegisterStatus.Done, TimeSpan.Zero, Wall), Rtt);
        _machine.Failed(_now, Key(1));
        Assert.True(_machine.IsHome(Addresses.Of("198.51.100.1:1")));
    }

    [Fact]
    public void Leave_tells_every_home_and_drains()
    {
        RegisterAt(1, "198.51.100.1:1");
        RegisterAt(2, "192.0.2.1:1");
        _machine.Leave(_now);
        List<HomeEffect> asks = Effects();
        Assert.All(asks, ask => Assert.Equal(HomeMethod.Unregister, ask.Method));
        Assert.Equal(2, asks.Count);
        Assert.False(_machine.IsDrained);
        Answer(asks[0], RegisterStatus.Done);
        _machine.Failed(_now, asks[1].Home.Key);
        Assert.True(_machine.IsDrained);
        Assert.Equal(Instant.Never, _machine.NextDeadline);
    }

    private static PublicKey Key(int number) => new([.. Enumerable.Repeat((byte)number, 32)]);

    private static byte[] Body(RegisterStatus status, TimeSpan lease, UnixTime time)
    {
        byte[] body = new byte[RegisterAnswer.MaxBytes];
        return body[..new RegisterAnswer(status, lease, Self, time).Encode(body)];
    }

    private void Offer(int number, string endpoint, int milliseconds) =>
        _machine.Offer(_now, new(Key(number), Addresses.Of(endpoint)), TimeSpan.FromMilliseconds(milliseconds));

    private void RegisterAt(int number, string endpoint)
    {
        Offer(number, endpoint, 50);
        Answer(Assert.Single(Wake()), RegisterStatus.Done);
        _ = Effects();
    }

    private void Answer(HomeEffect ask, RegisterStatus status, UnixTime? time = null) =>
        _machine.Answered(_now, ask.Home.Key, Body(status, HomeServer.Lease, time ?? Wall), Rtt);

    private List<HomeEffect> Wake()
    {
        _now = Instant.Max(_now, _machine.NextDeadline);
        _machine.HandleTimeout(_now);
        return Effects();
    }

    private List<HomeEffect> Effects()
    {
        List<HomeEffect> effects = [];
        while (_machine.TryEffect(out HomeEffect effect))
        {
            if (effect.Kind == HomeEffectKind.Ask)
            {
                effects.Add(effect);
            }
        }

        return effects;
    }

    private Transmit NextKeepAlive()
    {
        Transmit transmit;
        do
        {
            _ = Wake();
        }
        while (!_machine.TryTransmit(_now, _buffer, out transmit));

        return transmit;
    }

    private byte[] StunAnswer(int requestBytes, Endpoint observed)
    {
        byte[] answer = new byte[StunServer.MaxAnswerBytes];
        StunServer server = new(new SeededRandom(), new());
        Assert.True(server.TryAnswer(_now, observed, _buffer.AsSpan(0, requestBytes), answer, out int bytes));
        return answer[..bytes];
    }
}
