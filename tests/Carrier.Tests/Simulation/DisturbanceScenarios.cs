using Carrier.Core;
using Carrier.Node.Sessions;
using Carrier.Simulation;

namespace Carrier.Tests.Simulation;

/// <summary>What happens to machines in the field: they are suspended, their clocks step, their links flap, their memory is dirty.</summary>
public sealed class DisturbanceScenarios(ITestOutputHelper output) : IDisposable
{
    private const string Protocol = "test/1";

    private readonly SimulatedWorld _world = new(81);
    private SimulatedNode _a = null!;
    private SimulatedNode _b = null!;

    public void Dispose() => _world.Dispose();

    // As SIGSTOP or a closed lid: every timer is due at once when it goes on.
    [Theory]
    [InlineData(60)]
    [InlineData(3_600)]
    [InlineData(300 * 86_400)]
    public void Node_that_was_suspended_is_reachable_again_without_a_storm(int seconds)
    {
        Begin();
        _ = Connect(_a, _b);
        Instant ends = _world.Network.Now + TimeSpan.FromSeconds(seconds);
        _b.Host.Stop();
        if (seconds < 86_400)
        {
            _world.Network.RunFor(TimeSpan.FromSeconds(seconds));
        }
        else
        {
            _world.Network.SkipTo(ends); // the others slept as well: nobody has simulated a year of their keepalives
        }

        long before = _b.Host.BytesSent;
        int datagrams = 0;
        _world.Network.Tap = (from, _, _) =>
        {
            datagrams += from == _b.Host ? 1 : 0;
            return true;
        };
        _b.Host.Start(_b.Machine);
        _b.Host.Pump();
        _world.Network.RunFor(TimeSpan.FromSeconds(10));
        output.WriteLine($"{datagrams} datagrams, {_b.Host.BytesSent - before} bytes in the 10 s after {seconds} s of silence");
        Assert.InRange(datagrams, 1, 400);
        _ = Connect(_a, _b);
    }

    [Theory]
    [InlineData(365)]
    [InlineData(-365)]
    public void Wall_clock_that_steps_by_a_year_and_back_costs_no_session_and_no_storm(int days)
    {
        Begin();
        NodeSession session = Connect(_a, _b);
        WallClock right = _b.Machine.Clock;
        int datagrams = 0;
        _world.Network.Tap = (from, _, _) =>
        {
            datagrams += from == _b.Host ? 1 : 0;
            return true;
        };
        _b.Machine.SetClock(new WallClock(_world.Network.Now, right.At(_world.Network.Now) + TimeSpan.FromDays(days)));
        _world.Network.RunFor(TimeSpan.FromMinutes(2));
        _b.Machine.SetClock(right);
        _world.Network.RunFor(TimeSpan.FromMinutes(2));
        output.WriteLine($"{datagrams} datagrams in four minutes");
        Assert.InRange(datagrams, 1, 2_000);
        Assert.False(session.IsRemoved);
        _ = Connect(_a, _b);
        Assert.True(_world.Network.RunUntil(() => _b.IsReady, TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public void Link_that_goes_down_and_up_a_hundred_times_leaves_the_session_and_no_storm()
    {
        Begin();
        NodeSession session = Connect(_a, _b);
        PatternTraffic up = new(_world.Network, _a);
        PatternTraffic down = new(_world.Network, _b);
        bool isDown = false;
        long datagrams = 0;
        _world.Network.Tap = (from, to, _) =>
        {
            datagrams += from == _b.Host ? 1 : 0;
            return !isDown || (from != _b.Host && to != _b.Host.Address);
        };
        for (int i = 0; i < 100; i++)
        {
            isDown = true;
            _world.Network.RunFor(TimeSpan.FromMilliseconds(700));
            isDown = false;
            _world.Network.RunFor(TimeSpan.FromMilliseconds(700));
        }

        output.WriteLine($"{datagrams} datagrams of the node whose link flapped, in 140 s");
        Assert.InRange(datagrams, 1, 10_000);
        Assert.False(session.IsRemoved);
        up.Send(session, 1, 100_000);
        Assert.True(_world.Network.RunUntil(() => down.StreamsFinished == 1, TimeSpan.FromSeconds(20)));
    }

    // What was in a buffer before is sent to nobody: the same run over dirty memory of two kinds sends the same bytes.
    [Fact]
    public void Poisoned_buffers_change_no_byte_that_is_sent()
    {
        ulong first = RunOverPoison(0xEE);
        Assert.Equal(first, RunOverPoison(0x11));
        Assert.Equal(first, RunOverPoison(null));
    }

    private static ulong RunOverPoison(byte? poison)
    {
        using SimulatedWorld world = new(91);
        world.Network.Poison = poison;
        for (int i = 0; i < 3; i++)
        {
            world.AddServing();
        }

        SimulatedNode a = world.AddDeviceBehind(world.NewSymmetricNat(NatPorts.Random));
        SimulatedNode b = world.AddDeviceBehind(world.NewSymmetricNat(NatPorts.Sequential)); // stays on the relay for a while
        SimulatedNode c = world.AddPublicDevice();
        b.Machine.Listen(Protocol);
        c.Machine.Listen(Protocol);
        world.RunUntilReady(TimeSpan.FromSeconds(30));
        PatternTraffic up = new(world.Network, a);
        PatternTraffic[] down = [new(world.Network, b), new(world.Network, c)];
        foreach (SimulatedNode peer in (SimulatedNode[])[b, c])
        {
            ulong dial = a.Dial(peer.Identity!.TrustId, Protocol);
            Assert.True(world.Network.RunUntil(() => a.Dialed.ContainsKey(dial) && peer.Incoming.Count > 0, TimeSpan.FromSeconds(10)));
            up.Send(a.Dialed[dial], 2, 300_000);
        }

        Assert.True(world.Network.RunUntil(() => Array.TrueForAll(down, traffic => traffic.StreamsFinished == 2), TimeSpan.FromSeconds(60)));
        world.Network.RunFor(TimeSpan.FromSeconds(60)); // keepalives, probes of the MTU, renewals
        return world.Network.TraceHash;
    }

    private void Begin()
    {
        for (int i = 0; i < 3; i++)
        {
            _world.AddServing();
        }

        _a = _world.AddPublicDevice();
        _b = _world.AddDeviceBehind(NatBehaviour.EndpointIndependent, NatBehaviour.AddressAndPortDependent);
        _b.Machine.Listen(Protocol);
        _world.RunUntilReady(TimeSpan.FromSeconds(30));
    }

    private NodeSession Connect(SimulatedNode from, SimulatedNode to)
    {
        int before = to.Incoming.Count;
        ulong dial = from.Dial(to.Identity!.TrustId, Protocol);
        Assert.True(_world.Network.RunUntil(() => from.Dialed.ContainsKey(dial) && to.Incoming.Count > before, TimeSpan.FromSeconds(20)), $"{from.Failed.GetValueOrDefault(dial)}");
        return from.Dialed[dial];
    }
}
