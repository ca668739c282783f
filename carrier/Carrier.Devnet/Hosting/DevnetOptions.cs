namespace Carrier.Devnet.Hosting;

/// <summary>How a devnet is run.</summary>
public sealed record DevnetOptions
{
    /// <summary>The port of JSON-RPC on loopback; 0 for any free one.</summary>
    public int RpcPort { get; init; } = 22336;

    /// <summary>The port of the peer protocol on loopback; 0 for any free one, null for none.</summary>
    public int? PeerPort { get; init; }

    /// <summary>What callers authenticate with; none when both are empty.</summary>
    public string User { get; init; } = "";

    public string Password { get; init; } = "";

    /// <summary>The time between two blocks; null for blocks on demand only.</summary>
    public TimeSpan? BlockTime { get; init; }

    /// <summary>Where the blocks are kept; null for a chain that ends with the process.</summary>
    public string? Folder { get; init; }
}
