using Carrier.Chain.Access;
using Carrier.Chain.Networks;
using Carrier.Chain.Primitives;
using Carrier.Devnet.Blocks;
using Carrier.Devnet.Hosting;

namespace Carrier.Agent.State;

/// <summary>Which chain, and which nodes are asked about it.</summary>
/// <param name="Network">main, test, reg, or any name together with a foundation.</param>
/// <param name="Foundation">The address the genesis block of a private chain pays; null for a devnet's faucet.</param>
/// <param name="Nodes">As <see cref="NodeEndpoint"/> reads them; none for $CARRIER_ELA_NODES, else the network's public one.</param>
internal sealed record ChainChoice(string Network, string? Foundation, IReadOnlyList<string> Nodes)
{
    public const string DefaultNetwork = "main";

    /// <exception cref="AgentException">There is no such network.</exception>
    public ChainNetwork ToNetwork()
    {
        if ((Foundation ?? (Network == DevnetNode.Name ? Faucet.Owner.ToString() : null)) is { } address)
        {
            return ProgramHash.TryParse(address, out ProgramHash foundation)
                ? ChainNetwork.Private(Network is "reg" ? "private" : Network, foundation)
                : throw new AgentException(ExitCode.Usage, "--foundation wants an address.");
        }

        return ChainNetwork.TryGet(Network, out ChainNetwork? network)
            ? network!
            : throw new AgentException(ExitCode.Usage, "--network is main, test, reg or devnet; any other chain needs --foundation with the address its genesis block pays.");
    }

    /// <exception cref="AgentException">One does not read, or there are none or too many.</exception>
    public IReadOnlyList<RpcNode> ToNodes(RpcPatience? patience = null)
    {
        IReadOnlyList<string> given = Nodes.Count > 0 ? Nodes
            : Environment.GetEnvironmentVariable("CARRIER_ELA_NODES") is { Length: > 0 } set ? set.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            : ToNetwork().PublicRpc is { } known ? [known.ToString()] : [];
        if (given.Count is 0 or > ChainAccess.MaxNodes)
        {
            throw new AgentException(ExitCode.Usage, $"Give 1 to {ChainAccess.MaxNodes} nodes with --node.");
        }

        return [.. given.Select(text => NodeEndpoint.TryParse(text, out NodeEndpoint? endpoint)
            ? new RpcNode(endpoint!, patience)
            : throw new AgentException(ExitCode.Usage, "--node wants http://user:password@host:port."))];
    }
}
