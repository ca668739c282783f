namespace Carrier.Simulation;

/// <summary>What a host's access link does to each datagram it sends or receives. Two hosts' links add up.</summary>
public sealed record LinkProfile
{
    /// <summary>One way.</summary>
    public TimeSpan Delay { get; init; } = TimeSpan.FromMilliseconds(10);

    /// <summary>Uniform, added to <see cref="Delay"/>; more than a packet's spacing reorders.</summary>
    public TimeSpan Jitter { get; init; }

    /// <summary>The fraction lost, 0 to 1.</summary>
    public double Loss { get; init; }

    /// <summary>The fraction delivered twice, 0 to 1.</summary>
    public double Duplication { get; init; }

    /// <summary>Larger datagrams vanish, as in an MTU black hole.</summary>
    public int MaxDatagramBytes { get; init; } = 1472;

    public static LinkProfile Perfect { get; } = new() { Delay = TimeSpan.FromMilliseconds(1) };
}
