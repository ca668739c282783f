using Carrier.Core;

namespace Carrier.Simulation;

/// <summary>How a NAT chooses and filters, in the terms of RFC 4787 §4.1 and §5.</summary>
public enum NatBehaviour
{
    EndpointIndependent,
    AddressDependent,
    AddressAndPortDependent,
}

/// <summary>A NAT between a private network and a public address: mapping kind, filtering kind, port choice, idle timeout, no hairpinning.</summary>
public sealed class VirtualNat(Endpoint publicAddress, NatBehaviour mapping, NatBehaviour filtering, SeededRandom random, TimeSpan? mappingTimeout = null)
{
    private readonly Dictionary<(Endpoint Inside, Endpoint Toward), Mapping> _byInside = [];
    private readonly Dictionary<ushort, Mapping> _byPort = [];
    private readonly TimeSpan _timeout = mappingTimeout ?? TimeSpan.FromSeconds(120);

    /// <summary>The public address, port zero.</summary>
    public Endpoint PublicAddress { get; } = publicAddress.WithPort(0);

    /// <summary>Keeps the inside port where it is free and the mapping is endpoint-independent; symmetric kinds choose at random.</summary>
    public bool PreservesPort { get; init; } = mapping == NatBehaviour.EndpointIndependent;

    /// <summary>Translates an outgoing datagram's source.</summary>
    public Endpoint Outbound(Instant now, Endpoint inside, Endpoint destination)
    {
        (Endpoint, Endpoint) key = (inside, Scope(mapping, destination));
        if (!_byInside.TryGetValue(key, out Mapping? found) || now - found.LastUsed > _timeout)
        {
            Forget(key, found);
            found = new Mapping(inside, ChoosePort(inside.Port));
            _byInside[key] = found;
            _byPort[found.Port] = found;
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
            return false;
        }

        inside = found.Inside;
        return true;
    }

    /// <summary>Forgets every mapping, as a router does that restarts.</summary>
    public void Restart()
    {
        _byInside.Clear();
        _byPort.Clear();
    }

    private static Endpoint Scope(NatBehaviour behaviour, Endpoint remote) => behaviour switch
    {
        NatBehaviour.EndpointIndependent => default,
        NatBehaviour.AddressDependent => remote.WithPort(0),
        _ => remote,
    };

    private ushort ChoosePort(ushort insidePort)
    {
        if (PreservesPort && !_byPort.ContainsKey(insidePort))
        {
            return insidePort;
        }

        ushort port;
        do
        {
            port = (ushort)(1024 + random.NextInt32(64_512));
        }
        while (_byPort.ContainsKey(port));
        return port;
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
