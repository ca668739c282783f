using Carrier.Core;
using Carrier.Nat;
using Carrier.Node.Sessions;
using Carrier.Simulation;

namespace Carrier.Tests.Simulation;

/// <summary>A peer that is who it says it is, and misuses what a session lets it ask for.</summary>
public sealed class AbuseScenarios(ITestOutputHelper output) : IDisposable
{
    private const string Protocol = "test/1";

    /// <summary>What one node may be made to send to one network that never answered: a trickle no access link notices.</summary>
    private const int MaxProbesInAMinute = 12_000;

    private static readonly Endpoint VictimAddress = Endpoint.FromIPv4(0x43434343, 7777);

    private readonly SimulatedWorld _world = new(71);
    private long _toVictim;
    private long _bytesToVictim;

    public void Dispose() => _world.Dispose();

    [Fact]
    public void Candidates_of_a_confirmed_peer_that_name_a_victim_draw_a_bounded_number_of_probes()
    {
        (SimulatedNode abuser, SimulatedNode node, NodeSession session) = Connect();
        Endpoint[] victims = [.. Enumerable.Range(0, 8).Select(i => VictimAddress.WithPort((ushort)(1000 + i)))];
        CountWhatReachesTheVictim(node);
        for (int second = 0; second < 60; second++)
        {
            // Each time with other ports, so that each is new.
            abuser.Use(session, machine => machine.Advertise([.. victims.Select(victim => victim.WithPort((ushort)(victim.Port + (10 * second))))]));
            _world.Network.RunFor(TimeSpan.FromSeconds(1));
        }

        output.WriteLine($"480 candidates in a minute made {_toVictim} probes of {_bytesToVictim} bytes");
        Assert.InRange(_toVictim, 0, MaxProbesInAMinute / 10);
    }

    [Fact]
    public void Calls_of_a_confirmed_peer_to_punch_a_victim_draw_a_bounded_number_of_probes()
    {
        (SimulatedNode abuser, SimulatedNode node, NodeSession session) = Connect();
        NatDescription anyPort = new(NatMapping.AddressAndPortDependent, NatFiltering.AddressAndPortDependent, PortAllocation.Random);
        CountWhatReachesTheVictim(node);
        byte[] call = new byte[PunchCall.Bytes];
        for (int second = 0; second < 60; second++)
        {
            new PunchCall((byte)second, VictimAddress.WithPort(0), anyPort).Write(call);
            abuser.Use(session, machine => machine.CallPunch(call));
            _world.Network.RunFor(TimeSpan.FromSeconds(1));
        }

        output.WriteLine($"60 calls in a minute made {_toVictim} probes of {_bytesToVictim} bytes");
        Assert.InRange(_toVictim, 0, MaxProbesInAMinute);
        long inTheFirstMinute = _toVictim;
        for (int second = 0; second < 600; second++)
        {
            new PunchCall((byte)second, VictimAddress.WithPort(0), anyPort).Write(call);
            abuser.Use(session, machine => machine.CallPunch(call));
            _world.Network.RunFor(TimeSpan.FromSeconds(1));
        }

        output.WriteLine($"600 more in ten minutes: {_toVictim - inTheFirstMinute} probes");
        Assert.InRange(_toVictim - inTheFirstMinute, 0, MaxProbesInAMinute);
    }

    private (SimulatedNode Abuser, SimulatedNode Node, NodeSession Session) Connect()
    {
        for (int i = 0; i < 3; i++)
        {
            _world.AddServing();
        }

        SimulatedNode abuser = _world.AddDeviceBehind(_world.NewSymmetricNat(NatPorts.Random));
        SimulatedNode node = _world.AddDeviceBehind(NatBehaviour.EndpointIndependent, NatBehaviour.AddressAndPortDependent);
        node.Machine.Listen(Protocol);
        _world.RunUntilReady(TimeSpan.FromSeconds(30));
        ulong dial = abuser.Dial(node.Identity!.TrustId, Protocol);
        Assert.True(_world.Network.RunUntil(() => abuser.Dialed.ContainsKey(dial) && node.Incoming.Count > 0, TimeSpan.FromSeconds(10)));
        return (abuser, node, abuser.Dialed[dial]);
    }

    // Everything between the two but the relay is cut, so that they stay in need of punching.
    private void CountWhatReachesTheVictim(SimulatedNode node)
    {
        HashSet<Endpoint> servers = [.. _world.Seeds.Select(static seed => seed.Endpoint)];
        _world.Network.Tap = (from, to, datagram) =>
        {
            if (from == node.Host && to.SourceUnit == VictimAddress.SourceUnit)
            {
                _toVictim++;
                _bytesToVictim += datagram.Length;
            }

            return servers.Contains(to) || servers.Contains(from.Address);
        };
    }
}
