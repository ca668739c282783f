using Carrier.Lab.Probe;

namespace Carrier.Lab.Translation;

/// <summary>
/// A NAT for UDP over IPv4, as RFC 4787 takes them apart: which outer port a flow gets (mapping and allocation), who may answer (filtering),
/// and whether insiders meet by their outer address (hairpinning). What nftables cannot do; told the time, so that it can be tested.
/// </summary>
internal sealed class Translator
{
    /// <summary>Seconds an unused mapping lives: that of Linux for a stream.</summary>
    public const int MappingSeconds = 120;

    private const int FirstPort = 1024;
    private const int Ports = 65_536 - FirstPort;

    private readonly TranslatorShape _shape;
    private readonly uint _outer;
    private readonly Random _random;
    private readonly Dictionary<(Transport Inside, Transport Toward), Mapping> _byInside = [];
    private readonly Dictionary<ushort, Mapping> _byPort = [];
    private int _block;
    private int _last;

    public Translator(TranslatorShape shape, uint outerAddress, Random random)
    {
        (_shape, _outer, _random) = (shape, outerAddress, random);
        Rebind();
    }

    public int Mappings => _byPort.Count;

    /// <summary>Forgets every mapping and begins at other ports, as a router does that restarts.</summary>
    public void Rebind()
    {
        _byInside.Clear();
        _byPort.Clear();
        _block = FirstPort + (_random.Next(Ports / TranslatorShape.BlockPorts) * TranslatorShape.BlockPorts);
        _last = FirstPort + _random.Next(Ports);
    }

    /// <summary>Rewrites a packet from either side; false when it is dropped.</summary>
    public bool TryTranslate(long nowSeconds, Span<byte> packet)
    {
        if (!UdpPacket.TryParse(packet, out UdpPacket udp))
        {
            return false;
        }

        bool isInbound = udp.Destination.Address == _outer;
        bool isOutbound = !IsPublic(udp.Source.Address);
        if (isInbound && isOutbound && !_shape.Hairpins)
        {
            return false;
        }

        if (isOutbound)
        {
            if ((!isInbound && !IsPublic(udp.Destination.Address)) || Outbound(nowSeconds, udp.Source, udp.Destination) is not { } port)
            {
                return false;
            }

            udp.Source = new Transport(_outer, port);
        }

        if (isInbound)
        {
            if (!_byPort.TryGetValue(udp.Destination.Port, out Mapping? mapping) || IsOver(mapping, nowSeconds)
                || (_shape.Filtering != Dependence.EndpointIndependent && !mapping.Contacted.Contains(Reduce(_shape.Filtering, udp.Source))))
            {
                return false;
            }

            udp.Destination = mapping.Inside;
        }

        return isInbound || isOutbound;
    }

    private static bool IsOver(Mapping mapping, long nowSeconds) => nowSeconds - mapping.UsedAtSeconds > MappingSeconds;

    // The lab's public addresses are 198.18.0.0/15; all else is behind some NAT.
    private static bool IsPublic(uint address) => address >> 17 == 0xC612_0000 >> 17;

    private static Transport Reduce(Dependence dependence, Transport remote) => dependence switch
    {
        Dependence.EndpointIndependent => default,
        Dependence.AddressDependent => remote with { Port = 0 },
        _ => remote,
    };

    private ushort? Outbound(long nowSeconds, Transport inside, Transport remote)
    {
        (Transport, Transport) key = (inside, Reduce(_shape.Mapping, remote));
        if (!_byInside.TryGetValue(key, out Mapping? mapping) || IsOver(mapping, nowSeconds))
        {
            if (mapping is not null)
            {
                Forget(mapping);
            }

            if (Allocate(nowSeconds) is not { } port)
            {
                return null;
            }

            mapping = new Mapping(key, port);
            _byInside[key] = mapping;
            _byPort[port] = mapping;
        }

        mapping.UsedAtSeconds = nowSeconds;
        _ = mapping.Contacted.Add(Reduce(_shape.Filtering, remote));
        return mapping.Port;
    }

    /// <summary>A port nobody has; null when the block is used up, as at a carrier whose subscriber opened too many.</summary>
    private ushort? Allocate(long nowSeconds)
    {
        int tries = _shape.Allocation == PortAllocation.Block ? TranslatorShape.BlockPorts * 8 : Ports;
        for (int i = 0; i < tries; i++)
        {
            _last = _shape.Allocation switch
            {
                PortAllocation.Sequential => _last >= ushort.MaxValue ? FirstPort : _last + 1,
                PortAllocation.Block => _block + _random.Next(TranslatorShape.BlockPorts),
                _ => FirstPort + _random.Next(Ports),
            };
            if (_byPort.TryGetValue((ushort)_last, out Mapping? holder) && IsOver(holder, nowSeconds))
            {
                Forget(holder);
                holder = null;
            }

            if (holder is null)
            {
                return (ushort)_last;
            }
        }

        return null;
    }

    private void Forget(Mapping mapping)
    {
        _ = _byInside.Remove(mapping.Key);
        _ = _byPort.Remove(mapping.Port);
    }

    private sealed class Mapping((Transport Inside, Transport Toward) key, ushort port)
    {
        public (Transport Inside, Transport Toward) Key => key;

        public Transport Inside => key.Inside;

        public ushort Port => port;

        public HashSet<Transport> Contacted { get; } = [];

        public long UsedAtSeconds { get; set; }
    }
}
