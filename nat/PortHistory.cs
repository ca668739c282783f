using System.Numerics;

namespace Carrier.Nat;

/// <summary>The external ports of our mappings toward different peers, in the order they were first seen: what tells how the NAT picks them.</summary>
internal sealed class PortHistory
{
    /// <summary>Ports kept; the oldest gives way.</summary>
    public const int MaxPorts = 32;

    /// <summary>Ports needed before a pattern is seen in them.</summary>
    private const int LeastPorts = 3;

    /// <summary>The newest ports that tell of a sequence: older ones lie further back than others behind the NAT let one reckon.</summary>
    private const int RecentPorts = 8;

    /// <summary>Two mappings made one after another are this near where ports are handed out in order; other hosts take some in between.</summary>
    private const int NearPorts = 32;

    /// <summary>The same while few are known: three ports drawn from a small block must not look like a sequence.</summary>
    private const int NearPortsOfFew = 8;

    private const int Few = 4;

    private const int FirstUsedPort = 1024;

    private readonly List<ushort> _ports = [];

    public void Add(ushort port)
    {
        if (_ports.Contains(port))
        {
            return; // the same mapping, as a peer at the same address sees it where mapping is address-dependent
        }

        if (_ports.Count == MaxPorts)
        {
            _ports.RemoveAt(0);
        }

        _ports.Add(port);
    }

    public void Clear() => _ports.Clear();

    /// <summary>Puts what the ports tell into <paramref name="description"/>.</summary>
    public NatDescription Describe(NatDescription description)
    {
        if (_ports.Count == 0)
        {
            return description;
        }

        description = description with { LastPort = _ports[^1] };
        if (_ports.Count < LeastPorts)
        {
            return description with { LowestPort = FirstUsedPort, HighestPort = ushort.MaxValue };
        }

        if (StepOf(_ports[^Math.Min(_ports.Count, RecentPorts)..]) is { } step)
        {
            return description with { Allocation = PortAllocation.Sequential, Step = step, LowestPort = FirstUsedPort, HighestPort = ushort.MaxValue };
        }

        (ushort lowest, ushort highest) = Range();
        return description with { Allocation = PortAllocation.Random, LowestPort = lowest, HighestPort = highest };
    }

    /// <summary>The step of a sequence, null when there is none. Answers overtake each other, so the ports are looked at in their own order.</summary>
    private static sbyte? StepOf(List<ushort> recent)
    {
        // Counted from the newest, so that a sequence may wrap around.
        ushort[] sorted = [.. recent.Select(port => (ushort)(port - recent[^1] + 32_768)).Order()];
        int[] gaps = [.. sorted.Zip(sorted.Skip(1), (low, high) => high - low)];
        int near = recent.Count <= Few ? NearPortsOfFew : NearPorts;
        if (gaps.Count(gap => gap <= near) * 3 < gaps.Length * 2 || sorted[^1] - sorted[0] > near * recent.Count)
        {
            return null;
        }

        // The newest is in the middle of this order: a sequence that falls has the older ones above it.
        bool isFalling = recent.Count(port => (short)(port - recent[^1]) > 0) * 2 > recent.Count;
        sbyte step = (sbyte)gaps.Min();
        return isFalling ? (sbyte)-step : step;
    }

    // Of n ports drawn from a range, the outermost lie about 1/(n+1) of it inside its ends; small ranges are blocks, aligned to their size.
    private (ushort Lowest, ushort Highest) Range()
    {
        (int least, int greatest) = (_ports.Min(), _ports.Max());
        int estimate = (greatest - least) * (_ports.Count + 1) / (_ports.Count - 1);
        if (estimate >= NatDescription.SmallRangePorts)
        {
            int margin = (greatest - least) * 3 / _ports.Count;
            return ((ushort)Math.Max(FirstUsedPort, least - margin), (ushort)Math.Min(ushort.MaxValue, greatest + margin));
        }

        int size = (int)BitOperations.RoundUpToPowerOf2((uint)estimate);
        while (greatest >= (least & -size) + size)
        {
            size *= 2;
        }

        return ((ushort)(least & -size), (ushort)((least & -size) + size - 1));
    }
}
