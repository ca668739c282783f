using Carrier.Core;

namespace Carrier.Nat;

/// <summary>The ports of a calling peer in the order they are probed, and how many may leave by now.</summary>
/// <remarks>
/// Sequential: the ports after the last one seen, nearest first, then those before it, should it be no sequence after all. Else the range as learnt, by a stride that visits each port once; the
/// peer's mappings are anywhere in it, so a regular order is as good as a drawn one. Where each probe is a mapping too, only ports after the last one.
/// </remarks>
public struct PortProbes
{
    /// <summary>Probes a second in the long run: a trickle to any access link.</summary>
    public const int PerSecond = 500;

    /// <summary>Probes at once: a reckoned port is among the first.</summary>
    public const int FirstBurst = 24;

    /// <summary>NATs pick from here on up (RFC 4787 §4.2.2) when nothing else is learnt.</summary>
    private const ushort AllPorts = 1024;

    private readonly NatDescription _remote;
    private readonly ushort _lowest;
    private readonly int _range;
    private readonly int _limit;
    private readonly int _ahead;
    private Instant _start;
    private readonly int _offset;
    private readonly int _stride;
    private int _taken;

    /// <summary>The probes of an end that is met at one endpoint, whatever port it sends to.</summary>
    public PortProbes(Instant start, in NatDescription remote, RandomSource random)
        : this(start, remote, random, PunchPlan.For(new(NatMapping.EndpointIndependent), remote).Probes)
    {
        _ahead = _limit / 2;
    }

    /// <summary>Probes that are a mapping each: <paramref name="limit"/> of them.</summary>
    public PortProbes(Instant start, in NatDescription remote, RandomSource random, int limit)
    {
        ArgumentNullException.ThrowIfNull(random);
        _start = start;
        _remote = remote;
        _limit = _ahead = limit;
        (_lowest, _range) = remote.RangePorts > 0 ? (remote.LowestPort, remote.RangePorts) : (AllPorts, ushort.MaxValue - AllPorts + 1);
        _offset = random.NextInt32(_range);
        do
        {
            _stride = 1 + random.NextInt32(_range);
        }
        while (Gcd(_stride, _range) != 1);
    }

    /// <summary>Whether every probe was taken.</summary>
    public readonly bool IsOver => _taken >= _limit;

    public readonly Instant NextAt => IsOver ? Instant.Never
        : _taken < FirstBurst ? _start
        : _start + TimeSpan.FromSeconds((_taken - FirstBurst + 1.0) / PerSecond);

    /// <summary>The same ports once more.</summary>
    public readonly PortProbes Again(Instant start) => this with { _start = start, _taken = 0 };

    /// <summary>Takes the next port whose time has come.</summary>
    public bool TryTake(Instant now, out ushort port)
    {
        port = 0;
        while (!IsOver && NextAt <= now && port == 0)
        {
            port = PortAt(_taken++);
        }

        return port != 0;
    }

    private static int Gcd(int a, int b) => b == 0 ? a : Gcd(b, a % b);

    private readonly ushort PortAt(int index) => _remote.IsSequential
        ? (ushort)(_remote.LastPort + ((index < _ahead ? index + 1 : _ahead - index) * _remote.Step))
        : (ushort)(_lowest + ((_offset + ((long)index * _stride)) % _range));
}
