using System.CommandLine;
using System.Text;
using Carrier.Agent.State;
using Carrier.Chain.Access;
using Carrier.Chain.Dpos;
using Carrier.Chain.Headers;
using Carrier.Chain.Networks;
using Carrier.Core.Storage;

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
        DefaultValueFactory = _ => ChainChoice.DefaultNetwork,
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

    public static ChainNetwork ReadNetwork(ParseResult parsed) => Read(parsed).ToNetwork();

    /// <summary>Whether the line names a chain or a node at all.</summary>
    public static bool AreGiven(ParseResult parsed) =>
        parsed.GetResult(Network) is { Implicit: false } || parsed.GetResult(Foundation) is { Implicit: false } || parsed.GetResult(Node) is { Implicit: false };

    public static ChainChoice Read(ParseResult parsed) =>
        new(parsed.GetValue(Network) ?? ChainChoice.DefaultNetwork, parsed.GetValue(Foundation), parsed.GetValue(Node) ?? []);

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
}
