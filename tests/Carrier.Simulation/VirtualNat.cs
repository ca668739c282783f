using Carrier.Core;

namespace Carrier.Simulation;

/// <summary>How a NAT chooses and filters, in the terms of RFC 4787 §4.1 and §5.</summary>
public enum NatBehaviour
{
    EndpointIndependent,
    AddressDependent,
    AddressAndPortDependent,
}

/// <summary>How a NAT picks the port of a new mapping, where it does not keep the inside one.</summary>
public enum NatPorts
{
    /// <summary>Any of the ports from 1024.</summary>
    Random,

    /// <summary>The one before plus one.</summary>
    Sequential,

    /// <summary>Any of a block of <see cref="VirtualNat.BlockPorts"/>; when all are taken, nothing passes.</summary>
    Block,
}

/// <summary>A NAT between a private network and an address on the internet or on a carrier's network: mapping kind, filtering kind, port choice, idle timeout, hairpinning.</summary>
public sealed class VirtualNat(Endpoint publicAddress, NatBehaviour mapping, NatBehaviour filtering, SeededRandom random, TimeSpan? mappingTimeout = null)
{
    /// <summary>Ports of one subscriber's block (RFC 7422).</summary>
    public const int BlockPorts = 256;

    /// <summary>What connection tracking takes for a flow that is over soon.</summary>
    private static readonly TimeSpan NewFlow = TimeSpan.FromSeconds(2);

    /// <summary>How long connection tracking keeps a flow that was never answered (nf_conntrack_udp_timeout).</summary>
    private static readonly TimeSpan UnansweredTimeout = TimeSpan.FromSeconds(30);

    private readonly Dictionary<(Endpoint Inside, Endpoint Toward), Mapping> _byInside = [];
    private readonly Dictionary<ushort, Mapping> _byPort = [];
    private readonly Dictionary<(Endpoint Source, ushort Port), Instant> _unsolicited = [];
    private readonly int _block = 1024 + (random.NextInt32(250) * BlockPorts);
    private int _restarts;
    private int _last = 1024 + random.NextInt32(60_000);
    private readonly TimeSpan _timeout = mappingTimeout ?? TimeSpan.FromSeconds(120);

    /// <summary>The outer address, port zero.</summary>
    public Endpoint PublicAddress { get; } = publicAddress.WithPort(0);

    /// <summary>The carrier's NAT before this one; null where the outer side is the internet.</summary>
    public VirtualNat? Carrier { get; init; }

    /// <summary>Whether hosts inside reach each other by the outer address (RFC 4787 §6).</summary>
    public bool Hairpins { get; init; }

    /// <summary>Whether hosts inside are kept from speaking to each other, as guest Wi-Fi does.</summary>
    public bool IsolatesHosts { get; init; }

    /// <summary>Keeps the inside port where it is free and the mapping is endpoint-independent; symmetric kinds choose at random.</summary>
    public bool PreservesPort { get; init; } = mapping == NatBehaviour.EndpointIndependent;

    public NatPorts Ports { get; init; }

    /// <summary>How long a mapping is kept that was in use for less than two seconds, where that is another time (nf_conntrack_udp_timeout and nf_conntrack_udp_timeout_stream).</summary>
    public TimeSpan? NewFlowTimeout { get; init; }

    /// <summary>Mappings that are or were in use, unused ones included until their port is wanted.</summary>
    public int Mappings => _byPort.Count;

    /// <summary>Mappings that are in use.</summary>
    public int LiveMappings(Instant now) => _byPort.Values.Count(mapping => !IsOver(now, mapping));

    /// <summary>The most mappings there were at once.</summary>
    public int MostMappings { get; private set; }

    /// <summary>Times something was sent by a mapping that had run out: for as long, nobody could reach its owner.</summary>
    public int LostInUse { get; private set; }

    /// <summary>Whether it is Linux's, open to what nobody asked for: such a packet leaves a flow to the router itself, and while that lives ours to the same peer takes another port.</summary>
    public bool ShiftsPorts { get; init; }

    /// <summary>Translates an outgoing datagram's source; none when no port is left.</summary>
    public Endpoint Outbound(Instant now, Endpoint inside, Endpoint destination)
    {
        (Endpoint Inside, Endpoint Toward) key = (inside, Scope(mapping, destination));
        if (ShiftsPorts)
        {
            bool shifted = _byInside.TryGetValue((inside, destination), out Mapping? moved) && !IsOver(now, moved);
            bool taken = _byInside.TryGetValue(key, out Mapping? own) && !own.LetsIn(now, destination)
                && _unsolicited.TryGetValue((destination, own.Port), out Instant until) && now < until;
            key = shifted || taken ? (inside, destination) : key;
        }

        if (!_byInside.TryGetValue(key, out Mapping? found) || IsOver(now, found))
        {
            LostInUse += found is null ? 0 : 1;
            Forget(key, found);
            if (ChoosePort(now, inside.Port) is not { } port)
            {
                return default;
            }

            found = new Mapping(inside, port, now);
            _byInside[key] = found;
            _byPort[found.Port] = found;
            MostMappings = Math.Max(MostMappings, _byPort.Count);
        }

        found.LastUsed = now;
        Endpoint peer = Scope(filtering, destination);
        found.Contacted[peer] = now + (found.Answered.Contains(peer) ? _timeout : Unanswered);
        return PublicAddress.WithPort(found.Port);
    }

    /// <summary>Translates an incoming datagram's destination; false where the NAT drops it.</summary>
    public bool TryInbound(Instant now, Endpoint source, ushort port, out Endpoint inside)
    {
        inside = default;
        Endpoint peer = Scope(filtering, source);
        if (!_byPort.TryGetValue(port, out Mapping? found) || IsOver(now, found) || !found.LetsIn(now, peer))
        {
            if (ShiftsPorts)
            {
                _unsolicited[(source, port)] = now + UnansweredTimeout;
            }

            return false;
        }

        _ = found.Answered.Add(peer);
        found.Contacted[peer] = now + _timeout;
        inside = found.Inside;
        return true;
    }

    /// <summary>The outer endpoint of an inner one that has a mapping for all peers; none when it has not.</summary>
    public Endpoint OutsideOf(Endpoint inside) => _byInside.TryGetValue((inside, default), out Mapping? found) ? PublicAddress.WithPort(found.Port) : default;

    /// <summary>Forgets every mapping, as a router does that restarts; the ports are others from then on.</summary>
    public void Restart()
    {
        _byInside.Clear();
        _byPort.Clear();
        _unsolicited.Clear();
        _restarts++;
    }

    // Filters of other NATs live as long as their mappings.
    private TimeSpan Unanswered => ShiftsPorts ? UnansweredTimeout : _timeout;

    private bool IsOver(Instant now, Mapping mapping) => now - mapping.LastUsed > (mapping.LastUsed - mapping.Since > NewFlow ? _timeout : NewFlowTimeout ?? _timeout);

    private static Endpoint Scope(NatBehaviour behaviour, Endpoint remote) => behaviour switch
    {
        NatBehaviour.EndpointIndependent => default,
        NatBehaviour.AddressDependent => remote.WithPort(0),
        _ => remote,
    };

    private ushort? ChoosePort(Instant now, ushort insidePort)
    {
        if (PreservesPort && _restarts == 0 && !_byPort.ContainsKey(insidePort))
        {
            return insidePort;
        }

        if (Ports == NatPorts.Block)
        {
            foreach (((Endpoint, Endpoint) key, Mapping stale) in _byInside.Where(each => IsOver(now, each.Value)).ToArray())
            {
                Forget(key, stale);
            }
        }

        if (Ports == NatPorts.Block && Enumerable.Range(_block, BlockPorts).All(port => _byPort.ContainsKey((ushort)port)))
        {
            return null;
        }

        do
        {
            _last = Ports switch
            {
                NatPorts.Sequential => _last >= ushort.MaxValue ? 1024 : _last + 1,
                NatPorts.Block => _block + random.NextInt32(BlockPorts),
                _ => 1024 + random.NextInt32(64_512),
            };
        }
        while (_byPort.ContainsKey((ushort)_last));
        return (ushort)_last;
    }

    private void Forget((Endpoint, Endpoint) key, Mapping? stale)
    {
        if (stale is not null)
        {
            _ = _byInside.Remove(key);
            _ = _byPort.Remove(stale.Port);
        }
    }

    private sealed class Mapping(Endpoint inside, ushort port, Instant since)
    {
        public Endpoint Inside { get; } = inside;

        public ushort Port { get; } = port;

        public Instant Since { get; } = since;

        /// <summary>Whom it lets in, and until when.</summary>
        public Dictionary<Endpoint, Instant> Contacted { get; } = [];

        /// <summary>Whose packets it let in.</summary>
        public HashSet<Endpoint> Answered { get; } = [];

        public Instant LastUsed { get; set; }

        public bool LetsIn(Instant now, Endpoint peer) => Contacted.TryGetValue(peer, out Instant until) && now <= until;
    }
}
