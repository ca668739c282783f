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

/// <summary>A NAT between a private network and a public address: mapping kind, filtering kind, port choice, idle timeout, no hairpinning.</summary>
public sealed class VirtualNat(Endpoint publicAddress, NatBehaviour mapping, NatBehaviour filtering, SeededRandom random, TimeSpan? mappingTimeout = null)
{
    /// <summary>Ports of one subscriber's block (RFC 7422).</summary>
    public const int BlockPorts = 256;

    private readonly Dictionary<(Endpoint Inside, Endpoint Toward), Mapping> _byInside = [];
    private readonly Dictionary<ushort, Mapping> _byPort = [];
    private readonly HashSet<Endpoint> _shifted = [];
    private readonly int _block = 1024 + (random.NextInt32(250) * BlockPorts);
    private int _restarts;
    private int _last = 1024 + random.NextInt32(60_000);
    private readonly TimeSpan _timeout = mappingTimeout ?? TimeSpan.FromSeconds(120);

    /// <summary>The public address, port zero.</summary>
    public Endpoint PublicAddress { get; } = publicAddress.WithPort(0);

    /// <summary>Keeps the inside port where it is free and the mapping is endpoint-independent; symmetric kinds choose at random.</summary>
    public bool PreservesPort { get; init; } = mapping == NatBehaviour.EndpointIndependent;

    public NatPorts Ports { get; init; }

    /// <summary>Mappings that are or were in use, unused ones included until their port is wanted.</summary>
    public int Mappings => _byPort.Count;

    /// <summary>The most mappings there were at once.</summary>
    public int MostMappings { get; private set; }

    /// <summary>Whether an unsolicited packet leaves an entry that pushes the next mapping toward its sender to another port.</summary>
    public bool ShiftsPorts { get; init; }

    /// <summary>Translates an outgoing datagram's source.</summary>
    public Endpoint Outbound(Instant now, Endpoint inside, Endpoint destination)
    {
        Endpoint toward = ShiftsPorts && _shifted.Contains(destination) ? destination : Scope(mapping, destination);
        (Endpoint, Endpoint) key = (inside, toward);
        if (!_byInside.TryGetValue(key, out Mapping? found) || now - found.LastUsed > _timeout)
        {
            Forget(key, found);
            if (ChoosePort(inside.Port) is not { } port)
            {
                return default;
            }

            found = new Mapping(inside, port);
            _byInside[key] = found;
            _byPort[found.Port] = found;
            MostMappings = Math.Max(MostMappings, _byPort.Count);
        }

        found.LastUsed = now;
        _ = found.Contacted.Add(Scope(filtering, destination));
        return PublicAddress.WithPort(found.Port);
    }

    /// <summary>Translates an incoming datagram's destination; false where the NAT drops it.</summary>
    public bool TryInbound(Instant now, Endpoint source, ushort port, out Endpoint inside)
    {
        inside = default;
        if (!_byPort.TryGetValue(port, out Mapping? found) || now - found.LastUsed > _timeout || !found.Contacted.Contains(Scope(filtering, source)))
        {
            _ = ShiftsPorts && _shifted.Add(source);
            return false;
        }

        inside = found.Inside;
        return true;
    }

    /// <summary>Forgets every mapping, as a router does that restarts; the ports are others from then on.</summary>
    public void Restart()
    {
        _byInside.Clear();
        _byPort.Clear();
        _shifted.Clear();
        _restarts++;
    }

    private static Endpoint Scope(NatBehaviour behaviour, Endpoint remote) => behaviour switch
    {
        NatBehaviour.EndpointIndependent => default,
        NatBehaviour.AddressDependent => remote.WithPort(0),
        _ => remote,
    };

    private ushort? ChoosePort(ushort insidePort)
    {
        if (PreservesPort && _restarts == 0 && !_byPort.ContainsKey(insidePort))
        {
            return insidePort;
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

    private sealed class Mapping(Endpoint inside, ushort port)
    {
        public Endpoint Inside { get; } = inside;

        public ushort Port { get; } = port;

        public HashSet<Endpoint> Contacted { get; } = [];

        public Instant LastUsed { get; set; }
    }
}
