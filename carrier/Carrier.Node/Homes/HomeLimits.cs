using Carrier.Core;

namespace Carrier.Node.Homes;

/// <summary>How many devices a home takes.</summary>
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
}
