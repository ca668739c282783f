using Carrier.Lab.Network;
using Carrier.Lab.Probe;

namespace Carrier.Lab.Translation;

internal enum PortAllocation
{
    Random,
    Sequential,
    Block,
}

/// <summary>How a userspace NAT behaves.</summary>
internal sealed record TranslatorShape(Dependence Mapping, Dependence Filtering, PortAllocation Allocation, bool Hairpins)
{
    /// <summary>Ports of one subscriber's block, as RFC 7422 describes them.</summary>
    public const int BlockPorts = 256;

    public static TranslatorShape Of(NatKind kind) => kind switch
    {
        NatKind.RandomCone => new(Dependence.EndpointIndependent, Dependence.EndpointIndependent, PortAllocation.Random, false),
        NatKind.RandomRestricted => new(Dependence.EndpointIndependent, Dependence.AddressAndPortDependent, PortAllocation.Random, false),
        NatKind.Hairpin => new(Dependence.EndpointIndependent, Dependence.AddressAndPortDependent, PortAllocation.Random, true),
        NatKind.Sequential => new(Dependence.AddressAndPortDependent, Dependence.AddressAndPortDependent, PortAllocation.Sequential, false),
        NatKind.PortBlock => new(Dependence.AddressAndPortDependent, Dependence.AddressAndPortDependent, PortAllocation.Block, false),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "made by the kernel"),
    };
}
