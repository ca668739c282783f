using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;
using Carrier.Core;

namespace Carrier.Simulation;

/// <summary>Virtual time and a virtual internet. Everything that happens is decided by the seed; the same seed gives the same <see cref="TraceHash"/>.</summary>
/// <remarks>
/// Networks are nested: behind each NAT is one, of hosts and perhaps of other NATs, and whoever is on it reaches the others there directly and everyone else through its NAT.
/// Public addresses are routed; private ones only on their own network.
/// </remarks>
public sealed class VirtualNetwork(ulong seed)
{
    /// <summary>A machine whose deadline stays in the past would otherwise stop the world.</summary>
    private const int MaxEventsAnInstant = 100_000;

    private readonly PriorityQueue<Event, (long Time, long Order)> _events = new();
    private readonly Dictionary<Endpoint, VirtualHost> _publicHosts = [];
    private readonly Dictionary<Endpoint, VirtualNat> _publicNats = [];
    private readonly Dictionary<(VirtualNat Network, Endpoint Address), VirtualHost> _privateHosts = [];
    private readonly Dictionary<(VirtualNat Network, Endpoint Address), VirtualNat> _privateNats = [];
    private long _order;
    private int _eventsThisInstant;

    public ulong Seed { get; } = seed;

    public Instant Now { get; private set; } = new(1_000_000_000);

    public SeededRandom Random { get; } = new(seed);

    /// <summary>A running digest of every datagram sent and delivered: when, between whom, how long, and every byte sent.</summary>
    public ulong TraceHash { get; private set; } = 0xCBF29CE484222325;

    public long DatagramsDelivered { get; private set; }

    /// <summary>Wakes, arrivals, deliveries and scheduled actions so far: what simulating costs.</summary>
    public long EventsHandled { get; private set; }

    /// <summary>Where hosts write what they send, one at a time.</summary>
    internal byte[] TransmitBuffer { get; } = new byte[65_536];

    /// <summary>What buffers are filled with before a machine writes into them; null leaves there what was sent last.</summary>
    public byte? Poison { get; set; }

    /// <summary>Sees every datagram on its way and may drop it (return false): the place for a hostile network.</summary>
    public Func<VirtualHost, Endpoint, ReadOnlyMemory<byte>, bool>? Tap { get; set; }

    public VirtualHost AddPublicHost(Endpoint address, LinkProfile? link = null, bool firewalled = false)
    {
        VirtualHost host = new(this, address, null, link ?? new LinkProfile()) { IsFirewalled = firewalled };
        _publicHosts.Add(address, host);
        return host;
    }

    public VirtualHost AddPrivateHost(VirtualNat nat, Endpoint address, LinkProfile? link = null, bool firewalled = false)
    {
        VirtualHost host = new(this, address, nat, link ?? new LinkProfile()) { IsFirewalled = firewalled };
        Attach(nat);
        _privateHosts.Add((nat, address), host);
        return host;
    }

    /// <summary>Gives a host IPv6 beside what it has; none takes it away.</summary>
    public void SetIPv6(VirtualHost host, Endpoint address)
    {
        _ = _publicHosts.Remove(host.IPv6);
        host.IPv6 = address;
        if (!address.IsNone)
        {
            _publicHosts.Add(address, host);
        }
    }

    /// <summary>Moves a host to another address or NAT, as Wi-Fi to mobile does; its socket keeps working, its old address goes dark.</summary>
    public void Move(VirtualHost host, Endpoint address, VirtualNat? nat)
    {
        _ = host.Nat is null ? _publicHosts.Remove(host.Address) : _privateHosts.Remove((host.Nat, host.Address));
        host.Address = address;
        host.Nat = nat;
        if (nat is null)
        {
            _publicHosts.Add(address, host);
        }
        else
        {
            Attach(nat);
            _privateHosts.Add((nat, address), host);
        }
    }

    /// <summary>Runs events until <paramref name="done"/> holds; false when <paramref name="limit"/> of virtual time passed first.</summary>
    public bool RunUntil(Func<bool> done, TimeSpan limit)
    {
        Instant end = Now + limit;
        while (!done())
        {
            if (!_events.TryPeek(out _, out (long Time, long Order) next) || next.Time > end.Nanoseconds)
            {
                Now = end;
                return done();
            }

            Step();
        }

        return true;
    }

    public void RunFor(TimeSpan time) => RunUntil(() => false, time);

    /// <summary>Lets time pass in which nobody does anything: all machines were suspended together.</summary>
    public void SkipTo(Instant when) => Now = Instant.Max(Now, when);

    /// <summary>Has a scenario act later, at a virtual time of its choosing.</summary>
    public void Schedule(TimeSpan after, Action action) => Enqueue(Now + after, new Event { Action = action });

    /// <summary>Puts a datagram on the network as if from anywhere: what a spoofing attacker can do.</summary>
    public void Inject(Endpoint source, Endpoint destination, ReadOnlySpan<byte> datagram, TimeSpan delay)
    {
        byte[] copy = ArrayPool<byte>.Shared.Rent(datagram.Length);
        datagram.CopyTo(copy);
        Enqueue(Now + delay, new Event { Source = source, Destination = destination, Datagram = copy, Bytes = datagram.Length });
    }

    /// <summary>A host opened another socket, or closed one.</summary>
    internal void Bind(VirtualHost host, Endpoint inside, bool isOpen)
    {
        if (host.Nat is null)
        {
            _ = isOpen ? _publicHosts.TryAdd(inside, host) : _publicHosts.Remove(inside);
        }
        else
        {
            _ = isOpen ? _privateHosts.TryAdd((host.Nat, inside), host) : _privateHosts.Remove((host.Nat, inside));
        }
    }

    internal Span<byte> EmptyTransmitBuffer()
    {
        if (Poison is { } poison)
        {
            Array.Fill(TransmitBuffer, poison);
        }

        return TransmitBuffer;
    }

    internal void ScheduleWake(VirtualHost host, Instant when, long version) => Enqueue(when, new Event { Host = host, Version = version });

    /// <param name="from">Who sends.</param>
    /// <param name="inside">The socket's own endpoint.</param>
    /// <param name="destination">Where to.</param>
    /// <param name="datagram">What.</param>
    /// <param name="isOpening">It opens the sender's NAT and goes no farther: its TTL is over.</param>
    internal void Send(VirtualHost from, Endpoint inside, Endpoint destination, ReadOnlySpan<byte> datagram, bool isOpening)
    {
        Trace(1, inside, destination, datagram.Length);
        TraceContent(datagram);
        LinkProfile link = from.Link;
        bool hasFamily = inside.IsIPv4 == destination.IsIPv4 && !inside.IsNone;
        bool lost = Random.NextFraction() < link.Loss || datagram.Length > link.MaxDatagramBytes || !hasFamily || !from.Carries(destination);
        int copies = Random.NextFraction() < link.Duplication ? 2 : 1;
        if (lost || (Tap is not null && !Tap(from, destination, datagram.ToArray())))
        {
            return;
        }

        (Endpoint source, VirtualNat? network) = (inside, destination.IsIPv4 ? from.Nat : null);
        if (!TryLeave(ref source, ref network, destination) || (isOpening && network is null))
        {
            return;
        }

        for (int i = 0; i < copies; i++)
        {
            bool isNear = network is not null;
            TimeSpan delay = isNear ? TimeSpan.FromMicroseconds(500) : link.Delay + (link.Jitter * Random.NextFraction());
            byte[] copy = ArrayPool<byte>.Shared.Rent(datagram.Length);
            datagram.CopyTo(copy);
            Enqueue(Now + delay, new Event { Source = source, Destination = destination, Datagram = copy, Bytes = datagram.Length, Network = network });
        }
    }

    private void Attach(VirtualNat nat)
    {
        if (nat.Carrier is null)
        {
            _publicNats[nat.PublicAddress] = nat;
        }
        else
        {
            Attach(nat.Carrier);
            _privateNats[(nat.Carrier, nat.PublicAddress)] = nat;
        }
    }

    // Outward through one NAT after the other, to the network that the destination is on: null is the internet.
    private bool TryLeave(ref Endpoint source, ref VirtualNat? network, Endpoint destination)
    {
        while (network is { } nat)
        {
            bool isHere = _privateHosts.ContainsKey((nat, destination)) || _privateNats.ContainsKey((nat, destination.WithPort(0)));
            bool isOuter = destination.WithPort(0) == nat.PublicAddress;
            if (isHere)
            {
                return !nat.IsolatesHosts;
            }

            if ((isOuter && !nat.Hairpins) || (destination.Scope != AddressScope.Global && !isOuter && nat.Carrier is null))
            {
                return false; // neither private addresses nor its own are routed back
            }

            source = nat.Outbound(Now, source, destination);
            if (source.IsNone)
            {
                return false; // the NAT has no port left
            }

            network = isOuter ? network : nat.Carrier;
            if (isOuter)
            {
                return true;
            }
        }

        return true;
    }

    private void Step()
    {
        Event next = _events.Dequeue();
        EventsHandled++;
        _eventsThisInstant = next.At > Now ? 0 : _eventsThisInstant + 1;
        Now = Instant.Max(Now, next.At);
        if (_eventsThisInstant > MaxEventsAnInstant)
        {
            throw new InvalidOperationException($"Time stands still at {Now}: {next.Host?.Address} keeps asking to be woken (seed {Seed}).");
        }

        if (next.Action is not null)
        {
            next.Action();
        }
        else if (next.Host is not null && next.Datagram is null)
        {
            next.Host.Wake(next.Version);
        }
        else if (next.Host is not null)
        {
            Trace(2, next.Source, next.Host.Address, next.Bytes);
            DatagramsDelivered++;
            next.Host.Receive(next.Inside, next.Source, next.Datagram!, next.Bytes);
            ArrayPool<byte>.Shared.Return(next.Datagram!);
        }
        else
        {
            Arrive(next);
        }
    }

    // The far end's access link: routed here, then delayed and perhaps lost once more.
    private void Arrive(Event next)
    {
        VirtualHost? host = Route(next.Network, next.Source, next.Destination, out Endpoint inside);
        next.Inside = inside;
        bool lost = host is null || Random.NextFraction() < host.Link.Loss || next.Bytes > host.Link.MaxDatagramBytes || !host.LetsIn(next.Source);
        if (lost)
        {
            ArrayPool<byte>.Shared.Return(next.Datagram!);
            return;
        }

        next.Host = host;
        TimeSpan delay = next.Network is null ? host!.Link.Delay + (host.Link.Jitter * Random.NextFraction()) : TimeSpan.Zero;
        Enqueue(Now + delay, next);
    }

    // Inward through one NAT after the other, from the network it is on.
    private VirtualHost? Route(VirtualNat? network, Endpoint source, Endpoint destination, out Endpoint inside)
    {
        inside = destination;
        VirtualHost? host;
        while ((host = network is null ? _publicHosts.GetValueOrDefault(inside) : _privateHosts.GetValueOrDefault((network, inside))) is null)
        {
            VirtualNat? nat = network is null ? _publicNats.GetValueOrDefault(inside.WithPort(0))
                : network.PublicAddress == inside.WithPort(0) ? network // came back by the outer address
                : _privateNats.GetValueOrDefault((network, inside.WithPort(0)));
            if (nat is null || !nat.TryInbound(Now, source, inside.Port, out inside))
            {
                return null;
            }

            network = nat;
        }

        return host;
    }

    private void Enqueue(Instant when, Event item)
    {
        item.At = when;
        _events.Enqueue(item, (when.Nanoseconds, _order++));
    }

    private void Trace(int kind, Endpoint from, Endpoint to, int bytes)
    {
        Span<byte> address = stackalloc byte[16];
        ulong hash = Mix(TraceHash, (ulong)Now.Nanoseconds);
        hash = Mix(hash, ((ulong)(uint)bytes << 8) | (uint)kind);
        foreach (Endpoint end in (ReadOnlySpan<Endpoint>)[from, to])
        {
            int length = end.WriteAddress(address);
            for (int i = 0; i < length; i++)
            {
                hash = Mix(hash, address[i]);
            }

            hash = Mix(hash, end.Port);
        }

        TraceHash = hash;
    }

    private void TraceContent(ReadOnlySpan<byte> datagram)
    {
        ulong hash = TraceHash;
        while (datagram.Length >= sizeof(ulong))
        {
            hash = BitOperations.RotateLeft(Mix(hash, BinaryPrimitives.ReadUInt64LittleEndian(datagram)), 23);
            datagram = datagram[sizeof(ulong)..];
        }

        foreach (byte last in datagram)
        {
            hash = Mix(hash, last);
        }

        TraceHash = hash;
    }

    private static ulong Mix(ulong hash, ulong value) => (hash ^ value) * 0x100000001B3;

    private sealed class Event
    {
        public Instant At { get; set; }

        public VirtualHost? Host { get; set; }

        public long Version { get; init; }

        public Endpoint Source { get; init; }

        public Endpoint Destination { get; init; }

        /// <summary>The socket of the receiving host it arrives at.</summary>
        public Endpoint Inside { get; set; }

        public byte[]? Datagram { get; init; }

        public int Bytes { get; init; }

        /// <summary>The network it is on when it arrives: behind this NAT; null is the internet.</summary>
        public VirtualNat? Network { get; init; }

        public Action? Action { get; init; }
    }
}
