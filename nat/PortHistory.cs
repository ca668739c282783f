using System.Numerics;

namespace Carrier.Nat;

/// <summary>The external ports of our mappings toward different peers, in the order they were first seen: what tells how the NAT picks them.</summary>
internal sealed class PortHistory
{
    /// <summary>Ports kept; the oldest gives way.</summary>
    public const int MaxPorts = 32;

    /// <summary>Ports needed before a pattern is seen in them.</summary>
    private const int LeastPorts = 3;

    /// <summary>Mappings made at once, as when a node begins, are this near each other where ports are handed out in order; other hosts take some in between.
    /// Three ports drawn from a small block hardly are.</summary>
    private const int NearPorts = 8;

    /// <summary>What may lie between two mappings we learn the ports of: an attempt of ours to meet a peer opens many, and so do others.</summary>
    private const int FarPorts = 8_192;

    /// <summary>So many ports drawn from a block lie in one half of it once in a hundred times.</summary>
    private const int ManyPorts = 8;

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

        if (StepOf(_ports) is { } step)
        {
            return description with { Allocation = PortAllocation.Sequential, Step = step, LowestPort = FirstUsedPort, HighestPort = ushort.MaxValue };
        }

        (ushort lowest, ushort highest) = Range();
        return description with { Allocation = PortAllocation.Random, LowestPort = lowest, HighestPort = highest };
    }

    /// <summary>The step of a sequence, null when there is none: somewhere three in a row are near each other, and nearly all go the same way.</summary>
    private static sbyte? StepOf(List<ushort> ports)
    {
        int step = 0;
        for (int i = 0; i + LeastPorts <= ports.Count && step == 0; i++)
        {
            // Answers overtake each other, so three are looked at in their own order; counted from one of them, so that they may wrap around.
            short[] three = [.. ports.GetRange(i, LeastPorts).Select(port => (short)(port - ports[i])).Order()];
            (int first, int second) = (three[1] - three[0], three[2] - three[1]);
            step = Math.Max(first, second) <= NearPorts ? Math.Min(first, second) : 0;
        }

        // Questions asked at once are answered in any order: what lies no further apart than a burst does not tell that a sequence falls, which few do.
        bool isFalling = (short)(ports[^1] - ports[0]) < -NearPorts;
        int strays = 0;
        for (int i = 1; i < ports.Count; i++)
        {
            int move = (short)(ports[i] - ports[i - 1]) * (isFalling ? -1 : 1);
            strays += move is < -NearPorts or > FarPorts ? 1 : 0; // a little back is an answer overtaken
        }

        return step == 0 || strays * 4 > ports.Count ? null : (sbyte)(isFalling ? -step : step);
    }

    // Of n ports drawn from a range, the outermost lie about 1/(n+1) of it inside its ends; small ranges are blocks, aligned to their size.
    private (ushort Lowest, ushort Highest) Range()
    {
        (int least, int greatest) = (_ports.Min(), _ports.Max());
        int estimate = _ports.Count >= ManyPorts ? greatest - least + 1 : (greatest - least) * (_ports.Count + 1) / (_ports.Count - 1);
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
