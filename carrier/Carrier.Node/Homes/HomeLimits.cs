using Carrier.Core;
using Carrier.Dht;

namespace Carrier.Node.Homes;

/// <summary>How many devices a home takes, and how much it does for them.</summary>
public sealed record HomeLimits
{
    /// <summary>Registrations in all: about 30 MB.</summary>
    public int MaxRegistrations { get; init; } = 100_000;

    /// <summary>Registrations from one IPv4 /24 or IPv6 /48: a carrier-grade NAT's worth.</summary>
    public int MaxPerSourceUnit { get; init; } = 2048;

    /// <summary>Devices of one owner.</summary>
    public int MaxPerOwner { get; init; } = 64;

    /// <summary>Proofs checked from one source unit: each costs two signature checks, 0.2 ms.</summary>
    public TokenRate ProofsPerSourceUnit { get; init; } = new(200, 2048);

    /// <summary>Proofs checked in all: below half a core.</summary>
    public TokenRate Proofs { get; init; } = new(2000, 4096);

    /// <summary>Initiations handed to one device, so that strangers cannot keep it busy with handshakes.</summary>
    public TokenRate IntroductionsPerDevice { get; init; } = new(20, 64);

    /// <summary>Lookups and puts in the DHT under way for devices, in all: a quarter of what the DHT runs at once.</summary>
    public int MaxProxied { get; init; } = DhtMachine.MaxOperations / 4;

    /// <summary>Lookups and puts under way for one device.</summary>
    public int MaxProxiedOfDevice { get; init; } = 4;

    /// <summary>Lookups and puts begun for one device.</summary>
    public TokenRate ProxiedPerDevice { get; init; } = new(1, 32);

    /// <summary>Lookups and puts begun for the devices of one source unit, whose registrations are many for the asking.</summary>
    public TokenRate ProxiedPerSourceUnit { get; init; } = new(2, 256);

    /// <summary>Lookups and puts begun in all. A put of the largest record sends 30 KB, at most four times that where nodes are crowded; a lookup a tenth of it.</summary>
    public TokenRate Proxied { get; init; } = new(20, 256);
}
