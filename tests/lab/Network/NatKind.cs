namespace Carrier.Lab.Network;

/// <summary>What one router does to packets, in RFC 4787 terms. The first group are nftables rulesets, the second our own <see cref="Translation.Translator"/>.</summary>
internal enum NatKind
{
    None,

    /// <summary>No translation; lets in only what was asked for.</summary>
    Firewall,
    FullCone,
    AddressRestricted,
    PortRestricted,

    /// <summary>Port-restricted, but an unsolicited packet leaves an entry that pushes the next mapping toward its sender to another port.</summary>
    PortShift,

    /// <summary>Another random port for every destination.</summary>
    Symmetric,

    /// <summary>Carries IPv6, untranslated, and lets in only what was asked for (RFC 6092). Beside a NAT where the home has both families.</summary>
    IPv6Firewall,

    /// <summary>Carries no UDP at all.</summary>
    UdpBlocked,

    /// <summary>Carries TCP to port 443 and nothing else.</summary>
    Tcp443Only,

    /// <summary>Endpoint-independent mapping to a random port, no filtering.</summary>
    RandomCone,

    /// <summary>Endpoint-independent mapping to a random port, address-and-port-dependent filtering.</summary>
    RandomRestricted,

    /// <summary>As <see cref="RandomRestricted"/>, and an inside host reaches another by its outer address (RFC 4787 §6): what carriers run.</summary>
    Hairpin,

    /// <summary>The next port for every destination.</summary>
    Sequential,

    /// <summary>A random port of a small block for every destination.</summary>
    PortBlock,
}

internal static class NatKinds
{
    public static bool IsUserspace(this NatKind kind) => kind >= NatKind.RandomCone;
}
