using Carrier.Core;

namespace Carrier.Simulation;

/// <summary>One machine on the virtual network: an address, perhaps a NAT before it, a link, and the driver's duties toward an <see cref="IDatagramMachine"/>.</summary>
public sealed class VirtualHost
{
    /// <summary>More batches in one turn than any machine has reason for: a machine that never stops sending is a bug to report, not to simulate.</summary>
    private const int MaxTransmitsPerTurn = 10_000;

    /// <summary>Above every port hosts are given. A simulated run opens fewer sockets than there are ports above it.</summary>
    private const int FirstExtraPort = 45_000;

    private readonly VirtualNetwork _network;
    private readonly Dictionary<ushort, Endpoint> _sockets = [];
    private readonly HashSet<Endpoint> _contacted = [];
    private long _wakeVersion;
    private Instant _wakeAt = Instant.Never;

    internal VirtualHost(VirtualNetwork network, Endpoint address, VirtualNat? nat, LinkProfile link)
    {
        _network = network;
        Address = address;
        Nat = nat;
        Link = link;
    }

    /// <summary>Address and port of the one socket; private behind a NAT. Assign to move the host, as a device does that changes networks.</summary>
    public Endpoint Address { get; internal set; }

    /// <summary>A global IPv6 address beside <see cref="Address"/>, with the same port, that no NAT stands before; none where the network has IPv4 alone.</summary>
    public Endpoint IPv6 { get; internal set; }

    /// <summary>Whether what comes by IPv6 is let in only from where something was sent, as home routers do (RFC 6092).</summary>
    public bool IsFirewalled { get; init; }

    /// <summary>The endpoints of its interfaces.</summary>
    public Endpoint[] Endpoints => IPv6.IsNone ? [Address] : [Address, IPv6];

    /// <summary>Where the host's network carries no UDP: the endpoints that tunnels stand for, the only ones it reaches. Null where UDP passes.</summary>
    public HashSet<Endpoint>? Tunnels { get; set; }

    public VirtualNat? Nat { get; internal set; }

    public LinkProfile Link { get; set; }

    /// <summary>The machine on this host; null while the host is down. Replace it to restart the host.</summary>
    public IDatagramMachine? Machine { get; private set; }

    /// <summary>Sockets open beside the first.</summary>
    public int ExtraSockets => _sockets.Count;

    public long BytesSent { get; private set; }

    public long BytesReceived { get; private set; }

    /// <summary>Runs after every turn of this host, so that a scenario can drain the machine's effects.</summary>
    public Action<VirtualHost>? AfterTurn { get; set; }

    public void Start(IDatagramMachine machine)
    {
        Machine = machine;
        Pump();
    }

    /// <summary>Kills the process: what was in its memory is gone, its mappings stay.</summary>
    public void Stop()
    {
        Machine = null;
        _wakeVersion++;
        _wakeAt = Instant.Never;
        foreach (ushort socket in _sockets.Keys.ToArray())
        {
            CloseSocket(socket);
        }
    }

    /// <summary>Sends what the machine wants sent and re-arms its timer. Call after touching the machine from a scenario.</summary>
    public void Pump()
    {
        if (Machine is null)
        {
            return;
        }

        for (int transmits = 0; Machine.TryTransmit(_network.Now, _network.EmptyTransmitBuffer(), out Transmit transmit); transmits++)
        {
            if (transmits == MaxTransmitsPerTurn)
            {
                throw new InvalidOperationException($"The machine at {Address} does not stop sending (seed {_network.Seed}).");
            }

            for (int offset = 0; offset < transmit.Bytes; offset += transmit.SegmentBytes)
            {
                int bytes = Math.Min(transmit.SegmentBytes, transmit.Bytes - offset);
                BytesSent += bytes;
                _network.Send(this, EndpointOf(transmit.Path), transmit.Path.Remote, _network.TransmitBuffer.AsSpan(offset, bytes), transmit.IsOpening);
            }
        }

        AfterTurn?.Invoke(this);
        Rearm();
    }

    /// <summary>Closes a socket the machine has no more use for.</summary>
    public void CloseSocket(ushort socket)
    {
        if (_sockets.Remove(socket, out Endpoint inside))
        {
            _network.Bind(this, inside, isOpen: false);
        }
    }

    internal void Receive(Endpoint inside, Endpoint source, byte[] datagram, int bytes)
    {
        if (Machine is not null)
        {
            BytesReceived += bytes;
            if (inside.Port == Address.Port)
            {
                Machine.Handle(_network.Now, source, datagram.AsSpan(0, bytes), bytes);
            }
            else
            {
                Machine.HandleAt(_network.Now, (ushort)(inside.Port - FirstExtraPort), source, datagram.AsSpan(0, bytes), bytes);
            }

            Pump();
        }
    }

    internal void Wake(long version)
    {
        if (version == _wakeVersion && Machine is not null)
        {
            _wakeAt = Instant.Never;
            Machine.HandleTimeout(_network.Now);
            Pump();
        }
    }

    /// <summary>Whether the host's network carries a datagram to or from there.</summary>
    internal bool Carries(Endpoint remote) => Tunnels is null || Tunnels.Contains(remote);

    /// <summary>Whether what stands before the host lets a datagram in.</summary>
    internal bool LetsIn(Endpoint source) => Carries(source) && (source.IsIPv4 || !IsFirewalled || _contacted.Contains(source));

    // The socket comes to be with the first datagram sent from it.
    private Endpoint EndpointOf(in NetworkPath path)
    {
        ushort socket = path.Socket;
        if (!path.Remote.IsIPv4)
        {
            _ = _contacted.Add(path.Remote);
            return Address.IsIPv4 ? IPv6 : Address;
        }

        if (socket == 0)
        {
            return Address;
        }

        if (!_sockets.TryGetValue(socket, out Endpoint inside))
        {
            inside = Address.WithPort((ushort)(FirstExtraPort + socket));
            _sockets.Add(socket, inside);
            _network.Bind(this, inside, isOpen: true);
        }

        return inside;
    }

    private void Rearm()
    {
        Instant deadline = Machine?.NextDeadline ?? Instant.Never;
        if (deadline == _wakeAt)
        {
            return;
        }

        _wakeAt = deadline;
        _wakeVersion++;
        if (deadline != Instant.Never)
        {
            _network.ScheduleWake(this, Instant.Max(deadline, _network.Now), _wakeVersion);
        }
    }
}
