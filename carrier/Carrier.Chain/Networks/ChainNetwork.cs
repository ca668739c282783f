using Carrier.Chain.Headers;
using Carrier.Chain.Primitives;

namespace Carrier.Chain.Networks;

/// <summary>One chain of the family: how its peers are addressed, where it begins, and what differs in its rules.</summary>
public sealed record ChainNetwork
{
    /// <summary>Bits of chains whose blocks are made at once and never retarget.</summary>
    public const uint InstantBits = 0x207F_FFFF;

    public static readonly ChainNetwork Main = new()
    {
        Name = "main",
        Magic = 2017001,
        PeerPort = 20338,
        RpcPort = 20336,
        FirstBits = 0x1F00_08FF,
        ConfirmedFrom = 343_400,
        Genesis = Networks.Genesis.Create(Foundation("8VYXVxKKSAxkmRrfmGpQR2Kc66XhG6m3ta")),
        PublicRpc = new Uri("https://api.elastos.io/ela"),
    };

    public static readonly ChainNetwork Test = new()
    {
        Name = "test",
        Magic = 2018101,
        PeerPort = 21338,
        RpcPort = 21336,
        FirstBits = 0x1E1D_A5FF,
        ConfirmedFrom = 246_700,
        Genesis = Networks.Genesis.Create(Foundation("8ZNizBf4KhhPjeJRGpox6rPcHE5Np6tFx3")),
        PublicRpc = new Uri("https://api-testnet.elastos.io/ela"),
    };

    public static readonly ChainNetwork Reg = new()
    {
        Name = "reg",
        Magic = 2018201,
        PeerPort = 22338,
        RpcPort = 22336,
        FirstBits = InstantBits,
        ConfirmedFrom = 211_000,
        Genesis = Networks.Genesis.Create(Foundation("8ZNizBf4KhhPjeJRGpox6rPcHE5Np6tFx3")),
    };

    public required string Name { get; init; }

    /// <summary>Opens every frame of the peer protocol.</summary>
    public required uint Magic { get; init; }

    public required ushort PeerPort { get; init; }

    public required ushort RpcPort { get; init; }

    /// <summary>Bits of block 1; <see cref="InstantBits"/> for a chain that never retargets.</summary>
    public required uint FirstBits { get; init; }

    /// <summary>From this height on nodes connect a block only with a confirm of the arbiters (but for their proof-of-work fallback).</summary>
    public required uint ConfirmedFrom { get; init; }

    public required BlockHeader Genesis { get; init; }

    /// <summary>The documented public endpoint, where there is one. A default of the configuration; tests never call it.</summary>
    public Uri? PublicRpc { get; init; }

    /// <summary>True when difficulty follows the clock; instant chains keep their bits.</summary>
    public bool Retargets => FirstBits != InstantBits;

    /// <summary>A private chain whose genesis coins belong to <paramref name="foundation"/>: the devnet, or a private regnet.</summary>
    public static ChainNetwork Private(string name, ProgramHash foundation) => Reg with { Name = name, Genesis = Networks.Genesis.Create(foundation) };

    /// <summary>The network of a name: main, test or reg.</summary>
    public static bool TryGet(string name, out ChainNetwork? network)
    {
        network = name switch
        {
            "main" => Main,
            "test" => Test,
            "reg" => Reg,
            _ => null,
        };
        return network is not null;
    }

    public override string ToString() => Name;

    private static ProgramHash Foundation(string address) =>
        ProgramHash.TryParse(address, out ProgramHash hash) ? hash : throw new InvalidOperationException("A foundation address is wrong.");
}
