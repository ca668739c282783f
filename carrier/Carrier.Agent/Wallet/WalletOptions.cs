using System.CommandLine;
using Carrier.Agent.State;
using Carrier.Chain.Access;
using Carrier.Chain.Networks;
using Carrier.Chain.Primitives;

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
        DefaultValueFactory = _ => "main",
        Recursive = true,
    };

    public static readonly Option<string?> Foundation = new("--foundation")
    {
        Description = "The address whose coins the genesis block of a devnet or private regnet creates.",
        HelpName = "ADDRESS",
        Recursive = true,
    };

    public static ChainNetwork ReadNetwork(ParseResult parsed)
    {
        string name = parsed.GetValue(Network)!;
        if (parsed.GetValue(Foundation) is { } address)
        {
            return ProgramHash.TryParse(address, out ProgramHash foundation)
                ? ChainNetwork.Private(name is "reg" ? "private" : name, foundation)
                : throw new AgentException(ExitCode.Usage, "--foundation wants an address.");
        }

        return ChainNetwork.TryGet(name, out ChainNetwork? network)
            ? network!
            : throw new AgentException(ExitCode.Usage, "--network is main, test or reg; a devnet needs --foundation with the address its genesis block pays.");
    }

    public static IReadOnlyList<RpcNode> ReadNodes(ParseResult parsed, ChainNetwork network)
    {
        string[] given = parsed.GetValue(Node) is { Length: > 0 } nodes
            ? nodes
            : Environment.GetEnvironmentVariable("CARRIER_ELA_NODES") is { Length: > 0 } set ? set.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            : network.PublicRpc is { } known ? [known.ToString()] : [];
        if (given.Length is 0 or > ChainAccess.MaxNodes)
        {
            throw new AgentException(ExitCode.Usage, $"Give 1 to {ChainAccess.MaxNodes} nodes with --node.");
        }

        return [.. given.Select(text => NodeEndpoint.TryParse(text, out NodeEndpoint? endpoint)
            ? new RpcNode(endpoint!)
            : throw new AgentException(ExitCode.Usage, "--node wants http://user:password@host:port."))];
    }
}
