namespace Carrier.Simulation.Channels;

/// <summary>How a schedule ended, in Sela. A loss below zero is a gain.</summary>
/// <param name="PayerLoss">What the payer has less than at the start, less what it received for it.</param>
/// <param name="PayerBound">Its window and all fees.</param>
/// <param name="PayeeLoss">What the payee served, less what it was paid in the chain.</param>
/// <param name="PayeeBound">Its window; the payer pays the fees.</param>
/// <param name="Paid">What the payee got.</param>
/// <param name="Served">What the payer got.</param>
/// <param name="Ending">What became of the deposit.</param>
/// <param name="Hostile">Whose loss does not count.</param>
public sealed record ChannelOutcome(
    long PayerLoss, long PayerBound, long PayeeLoss, long PayeeBound, long Paid, long Served, ChannelEnding Ending, HostileSide Hostile)
{
    /// <summary>Whether an honest side lost more than it agreed to.</summary>
    public bool IsViolation =>
        (Hostile != HostileSide.Payer && (PayerLoss > PayerBound || Ending == ChannelEnding.Stuck))
        || (Hostile != HostileSide.Payee && PayeeLoss > PayeeBound);
}

/// <summary>What became of the deposit.</summary>
public enum ChannelEnding
{
    /// <summary>It never got into the chain.</summary>
    NeverFunded,

    /// <summary>It is still there: somebody's money is frozen.</summary>
    Stuck,

    Closed,
    Refunded,
}
