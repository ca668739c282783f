using System.CommandLine;
using Carrier.Agent.State;

namespace Carrier.Agent.Wallet;

/// <summary>The options every wallet command has: which chain, and which nodes are asked.</summary>
internal static class WalletOptions
{
    public static readonly Option<string[]> Node = new("--node")
    {
        Description = "A node to ask, http://user:password@host:port; give two or more, run by different people. Default: $CARRIER_ELA_NODES, else the network's public one.",
        HelpName = "URL",
        Recursive = true,
    };

    public static readonly Option<string> Network = new("--network")
    {
        Description = "main, test, reg or devnet.",
        HelpName = "NAME",
        DefaultValueFactory = _ => ChainChoice.DefaultNetwork,
        Recursive = true,
    };

    public static readonly Option<string?> Foundation = new("--foundation")
    {
        Description = "The address whose coins the genesis block of a devnet or private regnet creates.",
        HelpName = "ADDRESS",
        Recursive = true,
    };

    /// <summary>Whether the line names a chain or a node at all.</summary>
    public static bool AreGiven(ParseResult parsed) =>
        parsed.GetResult(Network) is { Implicit: false } || parsed.GetResult(Foundation) is { Implicit: false } || parsed.GetResult(Node) is { Implicit: false };

    public static ChainChoice Read(ParseResult parsed) =>
        new(parsed.GetValue(Network) ?? ChainChoice.DefaultNetwork, parsed.GetValue(Foundation), parsed.GetValue(Node) ?? []);
}
