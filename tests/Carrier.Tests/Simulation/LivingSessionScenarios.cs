using Carrier.Core;
using Carrier.Node.Sessions;
using Carrier.Simulation;

namespace Carrier.Tests.Simulation;

/// <summary>What networks do to live sessions: mappings that change mid-stream, relays that die, devices that move. Data goes on within a second or two.</summary>
public class LivingSessionScenarios(ITestOutputHelper output)
{
    private const long Bytes = 40_000_000;

    public enum Side
    {
        Dialler,
        Dialled,
    }

    [Theory]
    [InlineData(Side.Dialler)]
    [InlineData(Side.Dialled)]
    public void Rebinding_to_other_ports_mid_stream_is_survived_direct(Side side)
    {
        List<double> stalls = [];
        for (ulong seed = 101; seed <= 110; seed++)
        {
            using Pair pair = new(seed, symmetric: false);
            pair.Run(() => (side == Side.Dialler ? pair.NatA : pair.NatB).Restart());
            stalls.Add(pair.StallMilliseconds);
            pair.World.Network.RunFor(TimeSpan.FromSeconds(5));
            Assert.False(pair.Session.Machine.Path.IsRelayed, $"seed {seed}: direct again");
        }

        Judge(stalls, $"rebinding of the {side}", medianMilliseconds: 1_000, mostMilliseconds: 3_000);
    }

    /// <summary>A router that restarts every few seconds: each time is mended as soon as the first.</summary>
    [Theory]
    [InlineData(Side.Dialler)]
    [InlineData(Side.Dialled)]
    public void Rebinding_again_and_again_is_survived_each_time(Side sender)
    {
        const int Times = 8;
        List<double> stalls = [];
        for (ulong seed = 161; seed <= 163; seed++)
        {
            using Pair pair = new(seed, symmetric: false, sender, trickle: true);
            for (int i = 0; i < Times; i++)
            {
                stalls.Add(pair.StallAfter(pair.NatA.Restart, TimeSpan.FromSeconds(2)));
            }
        }

        Judge(stalls, $"rebinding again and again, the {sender} sending", medianMilliseconds: 1_000, mostMilliseconds: 2_000);
    }

    [Theory]
    [InlineData(Side.Dialler)]
    [InlineData(Side.Dialled)]
    public void Rebinding_while_relayed_keeps_the_session(Side side)
    {
        List<double> stalls = [];
        for (ulong seed = 121; seed <= 125; seed++)
        {
            using Pair pair = new(seed, symmetric: true);
            pair.Run(() => (side == Side.Dialler ? pair.NatA : pair.NatB).Restart());
            stalls.Add(pair.StallMilliseconds);
        }

        Judge(stalls, $"rebinding of the relayed {side}", medianMilliseconds: 2_000, mostMilliseconds: 3_500);
    }

    [Theory]
    [InlineData(Side.Dialler)]
    [InlineData(Side.Dialled)]
    public void Relay_that_dies_moves_the_session_to_another_home(Side sender)
    {
        List<double> stalls = [];
        for (ulong seed = 131; seed <= 140; seed++)
        {
            using Pair pair = new(seed, symmetric: true, sender);
            NetworkPath relay = pair.Session.Machine.Path;
            Assert.True(relay.IsRelayed);
            pair.Run(() => pair.World.Nodes.Single(node => node.Host.Address == relay.Remote).Kill());
            Assert.NotEqual(relay.Remote, pair.Session.Machine.Path.Remote);
            stalls.Add(pair.StallMilliseconds);
        }

        Judge(stalls, $"death of the relay, the {sender} sending", medianMilliseconds: 2_000, mostMilliseconds: 2_500);
    }

    [Theory]
    [InlineData(Side.Dialler)]
    [InlineData(Side.Dialled)]
    public void Relay_that_dies_under_a_trickle_is_noticed_as_soon(Side sender)
    {
        List<double> stalls = [];
        for (ulong seed = 171; seed <= 180; seed++)
        {
            using Pair pair = new(seed, symmetric: true, sender, trickle: true);
            NetworkPath relay = pair.Session.Machine.Path;
            stalls.Add(pair.StallAfter(() => pair.World.Nodes.Single(node => node.Host.Address == relay.Remote).Kill(), TimeSpan.FromSeconds(2)));
        }

        Judge(stalls, $"death of the relay, the {sender} sending a trickle", medianMilliseconds: 2_000, mostMilliseconds: 2_000);
    }

    /// <summary>The record that was dialled names one home; the device found others while the session ran, and its dialler had no reason to look again.</summary>
    [Theory]
    [InlineData(Side.Dialler)]
    [InlineData(Side.Dialled)]
    public void Relay_that_dies_is_replaced_by_a_home_the_peer_has_found_since_the_dial(Side sender)
    {
        List<double> stalls = [];
        for (ulong seed = 151; seed <= 153; seed++)
        {
            using Pair pair = new(seed, symmetric: true, sender, loneHome: true);
            NetworkPath relay = pair.Session.Machine.Path;
            pair.Run(() => pair.World.Nodes.Single(node => node.Host.Address == relay.Remote).Kill());
            stalls.Add(pair.StallMilliseconds);
        }

        Judge(stalls, $"death of the only home known, the {sender} sending", medianMilliseconds: 2_000, mostMilliseconds: 3_500);
    }

    [Theory]
    [InlineData(Side.Dialler, false)]
    [InlineData(Side.Dialled, false)]
    [InlineData(Side.Dialler, true)]
    public void Moving_to_another_network_keeps_the_session(Side side, bool symmetric)
    {
        List<double> stalls = [];
        for (ulong seed = 141; seed <= 145; seed++)
        {
            using Pair pair = new(seed, symmetric);
            SimulatedNode mover = side == Side.Dialler ? pair.A : pair.B;
            VirtualNat mobile = pair.World.NewNat(NatBehaviour.EndpointIndependent, NatBehaviour.AddressAndPortDependent);
            pair.Run(() =>
            {
                pair.World.Network.Move(mover.Host, Endpoint.FromIPv4(0x0A000005, 40_009), mobile);
                mover.Machine.SetHostEndpoints(pair.World.Network.Now, [mover.Host.Address]);
                mover.Host.Pump();
            });
            stalls.Add(pair.StallMilliseconds);
        }

        Judge(stalls, $"move of the {side}{(symmetric ? ", relayed" : "")}", medianMilliseconds: 1_500, mostMilliseconds: 3_500);
    }

    private void Judge(List<double> stalls, string what, double medianMilliseconds, double mostMilliseconds)
    {
        stalls.Sort();
        output.WriteLine($"{what}: stalls of p50 {stalls[stalls.Count / 2]:F0} ms, most {stalls[^1]:F0} ms ({stalls.Count} of {stalls.Count} recovered)");
        Assert.InRange(stalls[stalls.Count / 2], 0, medianMilliseconds);
        Assert.InRange(stalls[^1], 0, mostMilliseconds);
    }

    /// <summary>Two devices behind NATs, a session between them and a stream under way.</summary>
    private sealed class Pair : IDisposable
    {
        private const int TrickleBytes = 4000;

        private static readonly TimeSpan TrickleInterval = TimeSpan.FromMilliseconds(60);

        private readonly PatternTraffic _down;
        private readonly Action<int, long> _send;

        /// <param name="seed">Of the world.</param>
        /// <param name="symmetric">Whether both NATs are, so that the relay is all there is.</param>
        /// <param name="sender">Whose stream it is; the other side sends acknowledgements alone.</param>
        /// <param name="loneHome">Whether there is one serving node when the session begins, and three more later.</param>
        /// <param name="trickle">Whether a little is sent every few milliseconds for good, and not one stream as fast as it goes.</param>
        public Pair(ulong seed, bool symmetric, Side sender = Side.Dialler, bool loneHome = false, bool trickle = false)
        {
            World = new SimulatedWorld(seed);
            AddServing(loneHome ? 1 : 4);
            NatA = NewNat(symmetric);
            NatB = NewNat(symmetric);
            A = World.AddDeviceBehind(NatA);
            B = World.AddDeviceBehind(NatB);
            B.Machine.Listen("bulk");
            World.RunUntilReady(TimeSpan.FromSeconds(20));
            PatternTraffic atA = new(World.Network, A), atB = new(World.Network, B);
            _down = sender == Side.Dialler ? atB : atA;
            ulong dial = A.Dial(B.Identity!.TrustId, "bulk");
            Assert.True(World.Network.RunUntil(() => A.Dialed.ContainsKey(dial), TimeSpan.FromSeconds(15)), $"seed {seed}: no session");
            Session = A.Dialed[dial];
            if (loneHome)
            {
                AddServing(3);
                World.Network.RunFor(TimeSpan.FromSeconds(5));
                Acquaint(A);
                Acquaint(B);
            }

            World.Network.RunFor(TimeSpan.FromSeconds(loneHome ? 8 : 3));
            Assert.Equal(symmetric, Session.Machine.Path.IsRelayed);
            _send = sender == Side.Dialler ? (streams, bytes) => atA.Send(Session, streams, bytes) : (streams, bytes) => atB.Send(B.Incoming.Single(), streams, bytes);
            if (trickle)
            {
                Trickle();
            }
            else
            {
                _send(1, Bytes);
            }
        }

        public SimulatedWorld World { get; }

        public VirtualNat NatA { get; }

        public VirtualNat NatB { get; }

        public SimulatedNode A { get; }

        public SimulatedNode B { get; }

        public NodeSession Session { get; }

        public double StallMilliseconds => _down.LongestStall.TotalMilliseconds;

        /// <summary>Lets a part of the stream through, does what the network does, and waits for the rest.</summary>
        public void Run(Action happens)
        {
            Assert.True(World.Network.RunUntil(() => _down.ReceivedBytes > Bytes / 16, TimeSpan.FromSeconds(20)));
            _down.WatchStalls();
            Assert.True(World.Network.RunUntil(() => _down.ReceivedBytes > Bytes / 8, TimeSpan.FromSeconds(20)));
            happens();
            bool whole = World.Network.RunUntil(() => _down.StreamsFinished == 1, TimeSpan.FromSeconds(60));
            Assert.True(whole, $"seed {World.Network.Seed}: {_down.ReceivedBytes} of {Bytes}, {Session.Machine.State}, {Session.Machine.Path}");
        }

        /// <summary>The longest stall within so long after what happens to a stream that goes on.</summary>
        public double StallAfter(Action happens, TimeSpan settled)
        {
            World.Network.RunFor(settled);
            _down.WatchStalls();
            long before = _down.ReceivedBytes;
            Assert.True(World.Network.RunUntil(() => _down.ReceivedBytes > before, TimeSpan.FromSeconds(5)));
            happens();
            World.Network.RunFor(TimeSpan.FromMilliseconds(100)); // what was on its way has arrived
            before = _down.ReceivedBytes;
            Assert.True(World.Network.RunUntil(() => _down.ReceivedBytes > before, TimeSpan.FromSeconds(20)), $"seed {World.Network.Seed}: {Session.Machine.State}, {Session.Machine.Path}");
            return StallMilliseconds;
        }

        public void Dispose() => World.Dispose();

        private void AddServing(int count)
        {
            for (int i = 0; i < count; i++)
            {
                World.AddServing();
            }
        }

        private void Trickle()
        {
            _send(1, TrickleBytes);
            World.Network.Schedule(TrickleInterval, Trickle);
        }

        // A lookup passes by every node there is.
        private void Acquaint(SimulatedNode node)
        {
            _ = node.Machine.Resolve(World.Network.Now, node.Identity!.TrustId);
            node.Host.Pump();
        }

        private VirtualNat NewNat(bool symmetric) => symmetric
            ? World.NewSymmetricNat(NatPorts.Random)
            : World.NewNat(NatBehaviour.EndpointIndependent, NatBehaviour.AddressAndPortDependent);
    }
}
