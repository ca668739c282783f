using Carrier.Chain.Primitives;

namespace Carrier.Chain.Channels;

/// <summary>What the chain looks like for one channel: only what at least two independent nodes agree on, or what was proved by a merkle path to the header chain.</summary>
/// <param name="Height">The height of the tip.</param>
/// <param name="FundingConfirmations">Blocks from the funding transaction's to the tip, both counted; 0 when it is not mined, or when the nodes disagree.</param>
/// <param name="FundingIsPooled">Whether the funding transaction waits in a pool.</param>
/// <param name="Deposit">Who spends the deposit.</param>
/// <param name="Ticket">Who spends the ticket.</param>
public sealed record ChannelSight(uint Height, uint FundingConfirmations, bool FundingIsPooled, ChannelSpend Deposit, ChannelSpend Ticket);

/// <summary>A spend of one of a channel's outputs.</summary>
/// <param name="Stage">How far it is.</param>
/// <param name="Txid">Of the spending transaction.</param>
/// <param name="Confirmations">Once mined: 1 when its block is the tip.</param>
public readonly record struct ChannelSpend(SpendStage Stage, Hash256 Txid, uint Confirmations)
{
    public static readonly ChannelSpend None;
}

/// <summary>How far a spend is.</summary>
public enum SpendStage
{
    None,
    Pooled,
    Mined,
}
