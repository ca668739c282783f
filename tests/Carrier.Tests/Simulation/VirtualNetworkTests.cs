using Carrier.Core;
using Carrier.Simulation;

namespace Carrier.Tests.Simulation;

public class VirtualNetworkTests
{
    private static readonly Endpoint Server = Endpoint.FromIPv4(0x08080808, 1000);
    private static readonly Endpoint OtherServer = Endpoint.FromIPv4(0x09090909, 1000);
    private static readonly Endpoint Inside = Endpoint.FromIPv4(0xC0A80105, 5000);
    private static readonly Endpoint NatAddress = Endpoint.FromIPv4(0x05050505, 0);

    [Theory]
    [InlineData(NatBehaviour.EndpointIndependent, true)]
    [InlineData(NatBehaviour.AddressAndPortDependent, false)]
    public void Mapping_kind_decides_whether_two_servers_see_one_port(NatBehaviour mapping, bool same)
    {
        VirtualNat nat = new(NatAddress, mapping, NatBehaviour.AddressAndPortDependent, new SeededRandom(1));
        Assert.Equal(same, nat.Outbound(Instant.Zero, Inside, Server) == nat.Outbound(Instant.Zero, Inside, OtherServer));
    }

    [Theory]
    [InlineData(NatBehaviour.EndpointIndependent, true, true)]
    [InlineData(NatBehaviour.AddressDependent, false, true)]
    [InlineData(NatBehaviour.AddressAndPortDependent, false, false)]
    public void Filtering_kind_decides_who_gets_in(NatBehaviour filtering, bool stranger, bool samePeerOtherPort)
    {
        VirtualNat nat = new(NatAddress, NatBehaviour.EndpointIndependent, filtering, new SeededRandom(1));
        ushort port = nat.Outbound(Instant.Zero, Inside, Server).Port;
        Assert.True(nat.TryInbound(Instant.Zero, Server, port, out Endpoint inside));
        Assert.Equal(Inside, inside);
        Assert.Equal(stranger, nat.TryInbound(Instant.Zero, OtherServer, port, out _));
        Assert.Equal(samePeerOtherPort, nat.TryInbound(Instant.Zero, Server.WithPort(7), port, out _));
    }

    [Fact]
    public void Mapping_unused_for_its_timeout_is_gone()
    {
        VirtualNat nat = new(NatAddress, NatBehaviour.EndpointIndependent, NatBehaviour.EndpointIndependent, new SeededRandom(1), TimeSpan.FromSeconds(30));
        ushort port = nat.Outbound(Instant.Zero, Inside, Server).Port;
        Assert.False(nat.TryInbound(Instant.Zero + TimeSpan.FromSeconds(31), Server, port, out _));
    }

    [Fact]
    public void Same_seed_gives_the_same_trace_and_another_seed_another()
    {
        Assert.Equal(Run(7), Run(7));
        Assert.NotEqual(Run(7), Run(8));
    }

    [Fact]
    public void Datagram_to_a_private_address_elsewhere_is_not_routed()
    {
        VirtualNetwork network = new(1);
        VirtualHost host = network.AddPrivateHost(new VirtualNat(NatAddress, default, default, network.Random), Inside, LinkProfile.Perfect);
        VirtualHost other = network.AddPrivateHost(new VirtualNat(Endpoint.FromIPv4(0x06060606, 0), default, default, network.Random), Inside.WithPort(6000), LinkProfile.Perfect);
        Pinger pinger = new(other.Address, 10);
        Pinger target = new(default, 0);
        other.Start(target);
        host.Start(pinger);
        network.RunFor(TimeSpan.FromSeconds(5));
        Assert.Equal(0, target.Received);
    }

    private static (ulong Hash, int Received) Run(ulong seed)
    {
        VirtualNetwork network = new(seed);
        LinkProfile link = new() { Loss = 0.05, Jitter = TimeSpan.FromMilliseconds(5), Duplication = 0.02 };
        Pinger server = new(default, 0);
        network.AddPublicHost(Server, link).Start(server);
        VirtualNat nat = new(NatAddress, default, default, network.Random.Fork());
        network.AddPrivateHost(nat, Inside, link).Start(new Pinger(Server, 1000));
        network.RunFor(TimeSpan.FromSeconds(20));
        return (network.TraceHash, server.Received);
    }

    /// <summary>Sends one byte to its target every 10 ms, and answers nothing.</summary>
    private sealed class Pinger(Endpoint target, int count) : IDatagramMachine
    {
        private int _left = count;
        private bool _due = count > 0;

        public int Received { get; private set; }

        public Instant NextDeadline { get; private set; } = Instant.Never;

        public void Handle(Instant now, Endpoint remote, Span<byte> datagrams, int segmentBytes, EcnCodepoint ecn) => Received++;

        public void HandleTimeout(Instant now) => _due = true;

        public bool TryTransmit(Instant now, Span<byte> buffer, out Transmit transmit)
        {
            transmit = new Transmit(new NetworkPath(target), 1, 1);
            if (!_due)
            {
                return false;
            }

            _due = false;
            NextDeadline = --_left > 0 ? now + TimeSpan.FromMilliseconds(10) : Instant.Never;
            return true;
        }
    }
}
