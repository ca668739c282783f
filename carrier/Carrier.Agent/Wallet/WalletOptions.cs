using System.CommandLine;
using System.Text;
using Carrier.Agent.State;
using Carrier.Chain.Access;
using Carrier.Chain.Dpos;
using Carrier.Chain.Headers;
using Carrier.Chain.Networks;
using Carrier.Chain.Primitives;
using Carrier.Core.Storage;
using Carrier.Devnet.Blocks;
using Carrier.Devnet.Hosting;

namespace Carrier.Agent.Wallet;

/// <summary>The options of every command that uses the chain: which chain, and who is asked.</summary>
internal static class WalletOptions
{
    public static readonly Option<string[]> Node = new("--node")
    {
        Description = "A node to ask, http://user:password@host:port; give two or more, run by different people. Default: $CARRIER_ELA_NODES, else the network's public one.",
        HelpName = "URL",
        Recursive = true,
    };

    public static readonly Option<string[]> Peer = new("--peer")
    {
        Description = "A peer of the P2P network to ask instead of nodes, host:port; give two or more. No JSON-RPC server is needed then.",
        HelpName = "HOST:PORT",
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
        Description = "The address whose coins the genesis block of a private chain creates. Default for devnet: the faucet's.",
        HelpName = "ADDRESS",
        Recursive = true,
    };

    public static readonly Option<string?> Arbiters = new("--arbiters")
    {
        Description = "A file with a line 'arbiters FROM SEATS KEY,KEY,…' that you trust: from that height on confirms are checked too. Default: the shipped checkpoints'.",
        HelpName = "FILE",
        Recursive = true,
    };

    public static ChainNetwork ReadNetwork(ParseResult parsed)
    {
        string name = parsed.GetValue(Network)!;
        string? address = parsed.GetValue(Foundation) ?? (name == DevnetNode.Name ? Faucet.Owner.ToString() : null);
        if (address is not null)
        {
            return ProgramHash.TryParse(address, out ProgramHash foundation)
                ? ChainNetwork.Private(name is "reg" ? "private" : name, foundation)
                : throw new AgentException(ExitCode.Usage, "--foundation wants an address.");
        }

        return ChainNetwork.TryGet(name, out ChainNetwork? network)
            ? network!
            : throw new AgentException(ExitCode.Usage, "--network is main, test, reg or devnet; any other chain needs --foundation with the address its genesis block pays.");
    }

    /// <summary>Adds to a command the options that every use of the chain has.</summary>
    public static Command WithChain(this Command command)
    {
        command.Options.Add(Node);
        command.Options.Add(Peer);
        command.Options.Add(Network);
        command.Options.Add(Foundation);
        command.Options.Add(Arbiters);
        return command;
    }

    /// <summary>The peers to ask; none when nodes are asked.</summary>
    public static IReadOnlyList<PeerEndpoint> ReadPeers(ParseResult parsed, ChainNetwork network)
    {
        string[] given = parsed.GetValue(Peer) ?? [];
        if (given.Length > 0 && parsed.GetValue(Node) is { Length: > 0 })
        {
            throw new AgentException(ExitCode.Usage, "Give nodes with --node or peers with --peer, not both.");
        }

        if (given.Length > ChainAccess.MaxNodes)
        {
            throw new AgentException(ExitCode.Usage, $"Give at most {ChainAccess.MaxNodes} peers with --peer.");
        }

        return [.. given.Select(text => PeerEndpoint.TryParse(text, network.PeerPort, out PeerEndpoint? endpoint)
            ? endpoint!
            : throw new AgentException(ExitCode.Usage, "--peer wants host:port."))];
    }

    /// <summary>The arbiters to begin with; null when none are known, and proof of work alone is checked.</summary>
    public static ArbiterSet? ReadArbiters(ParseResult parsed, ChainNetwork network)
    {
        if (parsed.GetValue(Arbiters) is not { } file)
        {
            return Checkpoints.Load(network.Name)?.Arbiters;
        }

        return DurableFile.TryRead(file, CheckpointFile.MaxBytes, out byte[] bytes) == FileReading.Read
            && CheckpointFile.TryParseArbiters(Encoding.ASCII.GetString(bytes).Trim(), out ArbiterSet? arbiters)
                ? arbiters
                : throw new AgentException(ExitCode.Usage, "--arbiters wants a file with one line: arbiters FROM SEATS KEY,KEY,… with keys of 66 hex digits.");
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
