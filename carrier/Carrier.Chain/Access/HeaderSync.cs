using Carrier.Chain.Headers;
using Carrier.Chain.Primitives;
using Carrier.Chain.Storage;
using Carrier.Core;

namespace Carrier.Chain.Access;

/// <summary>Follows one node from the last block we share to its tip.</summary>
internal static class HeaderSync
{
    /// <summary>Headers after which progress is put on disk.</summary>
    private const int SaveEvery = 1_000;

    public static async Task<NodeSync> FollowAsync(RpcNode node, HeaderChain chain, HeaderStore store, UnixTime now, CancellationToken cancellationToken)
    {
        NodeAnswer<uint> tip = await node.HeightAsync(cancellationToken).ConfigureAwait(false);
        if (!tip.IsGood)
        {
            return Failed(node, tip.Fault, tip.Detail);
        }

        NodeAnswer<uint> shared = await FindSharedAsync(node, chain, tip.Value, cancellationToken).ConfigureAwait(false);
        if (!shared.IsGood)
        {
            return Failed(node, shared.Fault, shared.Detail);
        }

        uint next = shared.Value + 1;
        Hash256 last = chain.TryGet(shared.Value, out HeaderEntry entry) ? entry.Hash : default;
        int unsaved = 0;
        while (next <= tip.Value)
        {
            NodeAnswer<IReadOnlyList<BlockSummary>> blocks = await node.BlocksAsync(next, JsonRpcClient.MaxBatch, cancellationToken).ConfigureAwait(false);
            if (!blocks.IsGood)
            {
                return new NodeSync(node.Name, blocks.Fault, blocks.Detail, next - 1, last, false);
            }

            if (blocks.Value!.Count == 0)
            {
                break;
            }

            foreach (BlockSummary block in blocks.Value)
            {
                HeaderVerdict verdict = chain.Add(block.Core, block.Proof.Span, now);
                if (verdict.Step is HeaderStep.Refused or HeaderStep.Orphan or HeaderStep.TooDeep || block.Header.Height != next)
                {
                    string how = verdict.Step == HeaderStep.Refused ? $"breaks the rule {verdict.Rule.Name()}" : verdict.Step.ToString();
                    if (verdict is { Step: HeaderStep.Refused, Rule: not HeaderRule.TimeTooNew })
                    {
                        node.CaughtLying($"Its header {next} {how}.");
                    }

                    return new NodeSync(node.Name, NodeFault.Lie, $"header {next} {how}", next - 1, last, false);
                }

                last = block.Header.Hash;
                next++;
            }

            unsaved += blocks.Value.Count;
            if (unsaved >= SaveEvery)
            {
                store.Save(chain);
                unsaved = 0;
            }
        }

        return new NodeSync(node.Name, NodeFault.None, "", next - 1, last, true);
    }

    /// <summary>The newest height where the node has our block: the tip at once when it has, else ever further back.</summary>
    private static async Task<NodeAnswer<uint>> FindSharedAsync(RpcNode node, HeaderChain chain, uint nodeTip, CancellationToken cancellationToken)
    {
        uint height = Math.Min(nodeTip, chain.Tip.Header.Height);
        for (uint step = 1; ; step *= 2)
        {
            if (!chain.TryGet(height, out HeaderEntry entry))
            {
                return new(0, NodeFault.Malformed, 0, "Its chain is shorter than what is final here.");
            }

            NodeAnswer<Hash256> hash = await node.BlockHashAsync(height, cancellationToken).ConfigureAwait(false);
            if (!hash.IsGood)
            {
                return hash.As<uint>();
            }

            if (hash.Value == entry.Hash)
            {
                return new(height);
            }

            if (height == chain.Lowest || chain.Tip.Header.Height - height > HeaderChain.MaxReorganisation)
            {
                return new(0, NodeFault.Lie, 0, "It is on another chain.");
            }

            height = Math.Max(chain.Lowest, height > step ? height - step : 0);
        }
    }

    private static NodeSync Failed(RpcNode node, NodeFault fault, string detail) => new(node.Name, fault, detail, 0, default, false);
}
