using System.Net.Sockets;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Nat;
using Carrier.Node.Addresses;
using Carrier.Node.Homes;
using Carrier.Tests.Nat;
using Carrier.Tests.Node.Homes;

namespace Carrier.Tests.Node;

/// <summary>The device's side: one home that falls silent, two that do not, and what comes of it.</summary>
public sealed class MappingTestTests
{
    private static readonly UnixTime Wall = new(1_790_000_000);
    private static readonly Endpoint Self = Addresses.Of("203.0.113.7:61000");
    private static readonly TimeSpan Rtt = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan First = MappingLifetime.Longest * MappingLifetime.Margin;

    private readonly FakeDevice _device = new(1);
    private readonly HomeMachine _homes;
    private readonly HashSet<Endpoint> _tunnelled = [];
    private readonly MappingTest _test;
    private readonly byte[] _buffer = new byte[1500];
    private readonly List<Endpoint> _keptAlive = [];
    private readonly List<Endpoint> _registered = [];
    private readonly HashSet<Endpoint> _dead = [];
    private Instant _now = Instant.Zero;

    public MappingTestTests()
    {
        SeededRandom random = new();
        _homes = new(_device.Delegation, (message, signature) => FakeDevice.Sign(_device.Delegation, message, signature), new(Instant.Zero, Wall), random, new());
        LocalAddresses addresses = new(default, new());
        Endpoint[] hosts = [Addresses.Of("10.0.0.5:40000")];
        _ = addresses.SetHosts(hosts);
        addresses.Observe(_now, Addresses.Of("198.51.100.1:1"), Self);
        Assert.Equal(Self, addresses.Reflexive(AddressFamily.InterNetwork));
        _test = new(_homes, addresses, _tunnelled, _device.ExchangeKey, random);
    }

    [Fact]
    public void Heard_a_knock_after_the_silence_lengthens_the_interval_and_nothing_was_sent_meanwhile()
    {
        KnockLaterRequest request = BeginWithThreeHomes();
        Assert.Equal((_device.ExchangeKey, 30), (request.Device, request.DelaySeconds));
        _keptAlive.Clear();
        _registered.Clear();
        Run(First);
        Assert.True(_test.IsSilent);
        Assert.DoesNotContain(request.Home.Endpoint, _keptAlive);
        Assert.Equal(2, _keptAlive.Distinct().Count()); // whoever dials is served by the others
        Assert.DoesNotContain(request.Home.Endpoint, _registered);
        Hear(request);
        Assert.Equal(MappingLifetime.Longest, _homes.MappingLifetime.Interval);
        Assert.False(_test.IsSilent);
        Run(TimeSpan.Zero);
        Assert.Contains(request.Home.Endpoint, _keptAlive); // at once, for the mapping is older than any was
        Assert.Equal(_now + MappingTest.Validity, _test.NextDeadline);
    }

    [Fact]
    public void HandleTimeout_two_missing_knocks_of_two_homes_are_believed_and_each_is_told_at_once()
    {
        KnockLaterRequest first = BeginWithThreeHomes();
        _registered.Clear();
        _keptAlive.Clear();
        Run(First);
        Assert.DoesNotContain(first.Home.Endpoint, _registered);
        Run(MappingTest.Patience);
        Assert.Contains(first.Home.Endpoint, _registered);
        Assert.DoesNotContain(first.Home.Endpoint, _keptAlive); // another endpoint in its answer would pass for a mapping lost in use
        Assert.Equal(First, _homes.MappingLifetime.NextSilence);
        KnockLaterRequest second = Begin(MappingTest.Pause);
        Assert.NotEqual(first.Home, second.Home);
        Run(First + MappingTest.Patience);
        Assert.Contains(second.Home.Endpoint, _registered);
        Assert.InRange(_homes.MappingLifetime.NextSilence, MappingLifetime.Shortest, First - TimeSpan.FromSeconds(1));
        Assert.Equal(MappingLifetime.Shortest, _homes.MappingLifetime.Interval);
        Assert.Equal(24, Begin(MappingTest.Pause).DelaySeconds);
    }

    [Fact]
    public void HandleTimeout_one_home_that_withholds_its_knocks_proves_nothing()
    {
        _ = BeginWithThreeHomes();
        Run(First + MappingTest.Patience);
        KnockLaterRequest honest = Begin(MappingTest.Pause);
        Run(First);
        Hear(honest);
        Assert.Equal(MappingLifetime.Longest, _homes.MappingLifetime.Interval);
    }

    [Fact]
    public void HandleTimeout_a_knock_missing_while_other_homes_are_silent_too_tells_nothing()
    {
        KnockLaterRequest request = BeginWithThreeHomes();
        _dead.UnionWith(Homes().Select(home => home.Endpoint).Where(home => home != request.Home.Endpoint));
        Run(First + MappingTest.Patience);
        Assert.False(_test.IsSilent);
        _dead.Clear();
        Run(MappingTest.Rest);
        Assert.Equal(First, _homes.MappingLifetime.NextSilence);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Heard_or_spoke_anything_else_with_that_home_spoils_the_try_and_it_is_kept_alive_at_once(bool isHeard)
    {
        KnockLaterRequest request = BeginWithThreeHomes();
        Run(TimeSpan.FromSeconds(20));
        Endpoint other = Homes().First(home => home != request.Home).Endpoint;
        _test.Heard(_now, other, [0x42]);
        _test.Spoke(_now, new NetworkPath(other));
        _test.Spoke(_now, new NetworkPath(request.Home.Endpoint, Socket: 7)); // another mapping
        Assert.True(_test.IsSilent);
        if (isHeard)
        {
            _test.Heard(_now, request.Home.Endpoint, [0x42, 1, 2, 3]);
        }
        else
        {
            _test.Spoke(_now, new NetworkPath(request.Home.Endpoint, RelayChannel: 9));
        }

        Assert.False(_test.IsSilent);
        Assert.Equal(_now + MappingTest.RetryDelay, _test.NextDeadline);
        _keptAlive.Clear();
        Run(TimeSpan.Zero);
        Assert.Contains(request.Home.Endpoint, _keptAlive);
        Assert.NotEqual(request.Home, Begin(MappingTest.RetryDelay).Home);
    }

    [Fact]
    public void Heard_a_knock_sooner_than_asked_for_tells_nothing()
    {
        KnockLaterRequest request = BeginWithThreeHomes();
        Run(First - (2 * MappingTest.Patience));
        Hear(request);
        Assert.False(_test.IsSilent);
        Assert.Equal(MappingLifetime.Shortest, _homes.MappingLifetime.Interval);
    }

    [Fact]
    public void Refused_where_no_home_knows_the_question_nothing_falls_silent_and_it_is_asked_ever_more_rarely()
    {
        KnockLaterRequest request = BeginWithThreeHomes(isTaken: false);
        TimeSpan longest = MappingTest.RetryDelay * 64;
        for (TimeSpan rest = MappingTest.RetryDelay; rest < longest * 4; rest *= 2)
        {
            _test.Refused(_now, request);
            Assert.False(_test.IsSilent);
            Assert.Equal(_now + (rest < longest ? rest : longest), _test.NextDeadline);
            request = Begin(_test.NextDeadline - _now, isTaken: false);
        }

        Assert.Equal(MappingLifetime.Shortest, _homes.MappingLifetime.Interval);
    }

    [Fact]
    public void HandleTimeout_with_two_homes_nothing_is_tried()
    {
        Register(1, "198.51.100.1:1");
        Register(2, "192.0.2.1:1");
        _test.HomesChanged(_now);
        Run(MappingTest.Rest * 4);
        Assert.False(_test.TryRequest(out _));
    }

    [Fact]
    public void HandleTimeout_a_home_reached_by_a_tunnel_or_by_IPv6_is_not_tried()
    {
        Register(1, "198.51.100.1:1");
        Register(2, "[2400:1::7]:1");
        Register(3, "9.9.9.9:1");
        _ = _tunnelled.Add(Addresses.Of("198.51.100.1:1"));
        _test.HomesChanged(_now);
        TimeSpan rest = MappingTest.Rest;
        for (int i = 0; i < 3; i++)
        {
            KnockLaterRequest request = Begin(rest, isTaken: false);
            Assert.Equal(Addresses.Of("9.9.9.9:1"), request.Home.Endpoint);
            _test.Refused(_now, request);
            rest = _test.NextDeadline - _now;
        }
    }

    private KnockLaterRequest BeginWithThreeHomes(bool isTaken = true)
    {
        Register(1, "198.51.100.1:1");
        Register(2, "192.0.2.1:1");
        Register(3, "9.9.9.9:1");
        _test.HomesChanged(_now);
        return Begin(MappingTest.Rest, isTaken);
    }

    private KnockLaterRequest Begin(TimeSpan after, bool isTaken = true)
    {
        Run(after);
        Assert.True(_test.TryRequest(out KnockLaterRequest request));
        if (isTaken)
        {
            _test.Answered(_now, request, new KnockAnswer(KnockStatus.Sent));
            Assert.True(_test.IsSilent);
        }

        return request;
    }

    private void Hear(in KnockLaterRequest request)
    {
        byte[] knock = new byte[StunServer.MaxAnswerBytes];
        _test.Heard(_now, request.Home.Endpoint, knock.AsSpan(0, StunMessage.WriteBindingSuccess(knock, request.TransactionId, Self)));
    }

    private HomeContact[] Homes()
    {
        HomeContact[] homes = new HomeContact[HomeMachine.MaxHomes];
        return homes[.._homes.CopyHomes(homes)];
    }

    private void Register(byte number, string endpoint)
    {
        _homes.Offer(_now, new(new PublicKey([.. Enumerable.Repeat(number, PublicKey.Bytes)]), Addresses.Of(endpoint)), Rtt);
        Run(HomeMachine.GatherTime);
    }

    /// <summary>Drives both machines for a time; homes that are not dead answer.</summary>
    private void Run(TimeSpan time)
    {
        for (Instant end = _now + time; ; _now = Instant.Min(Instant.Max(_now, Instant.Min(_homes.NextDeadline, _test.NextDeadline)), end))
        {
            _homes.HandleTimeout(_now);
            _test.HandleTimeout(_now);
            Answer();
            if (_now == end && Instant.Min(_homes.NextDeadline, _test.NextDeadline) > end)
            {
                return;
            }
        }
    }

    private void Answer()
    {
        while (_homes.TryTransmit(_now, _buffer, out Transmit transmit))
        {
            _keptAlive.Add(transmit.Path.Remote);
            byte[] answer = new byte[StunServer.MaxAnswerBytes];
            if (!_dead.Contains(transmit.Path.Remote))
            {
                Assert.True(new StunServer(new SeededRandom(), new()).TryAnswer(_now, Self, _buffer.AsSpan(0, transmit.Bytes), answer, out int bytes));
                Assert.True(_homes.TryHandleStun(_now, transmit.Path.Remote, answer.AsSpan(0, bytes), out _));
            }
        }

        while (_homes.TryEffect(out HomeEffect effect))
        {
            if (effect.Kind == HomeEffectKind.Ask && _dead.Contains(effect.Home.Endpoint))
            {
                _homes.Failed(_now, effect.Home.Key);
            }
            else if (effect.Kind == HomeEffectKind.Ask)
            {
                _registered.Add(effect.Home.Endpoint);
                byte[] body = new byte[RegisterAnswer.MaxBytes];
                int bytes = new RegisterAnswer(RegisterStatus.Done, HomeServer.Lease, Self, Wall).Encode(body);
                _homes.Answered(_now, effect.Home.Key, body.AsSpan(0, bytes), Rtt);
            }
        }
    }
}
