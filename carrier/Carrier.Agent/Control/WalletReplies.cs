namespace Carrier.Agent.Control;

/// <param name="Checked">What was checked of the tip: <c>Anchored</c>, <c>ProofOfWork</c> or <c>ProofOfWorkAndConfirm</c>.</param>
/// <param name="Agreeing">Nodes whose tip is on the chain with the most work.</param>
internal sealed record ChainReply(string Network, uint Height, string Tip, string Checked, int Nodes, int Agreeing) : ControlReply;

/// <summary>Amounts are decimal ELA.</summary>
internal sealed record BalanceReply(string Confirmed, string Pending, string Locked, string Disputed, int NodesAnswered) : ControlReply;

/// <param name="Result"><c>Sent</c> when a node took it; <c>Waiting</c> when none answered for certain, and it is handed in again.</param>
internal sealed record PaymentReply(string TransactionId, string Amount, string To, string Result, int NodesTook) : ControlReply;

internal sealed record HistoryReply(
    string TransactionId, string Kind, string State, string Amount, string Fee, string To, string Note, uint? Height, uint Confirmations) : ControlReply;

/// <param name="Standing"><c>OnChain</c>, or <c>ProofOfWorkOnly</c> when nobody was asked.</param>
/// <param name="FileMatches">Whether the file given is the one that was anchored.</param>
/// <param name="Checked">What stands behind the block, as in <see cref="ChainReply"/>; null when nobody was asked.</param>
internal sealed record ProofReply(string TransactionId, uint Height, string Block, string Standing, bool? FileMatches, string? Checked = null) : ControlReply;

/// <param name="Registered">Whether a register record of it was found up to <paramref name="ScannedTo"/>.</param>
/// <param name="Height">Of its newest registration.</param>
/// <param name="DelegationRoot">What that commits to.</param>
/// <param name="SerialFloor">Delegations with a smaller serial are revoked; 0 for none.</param>
/// <param name="Checked">What stands behind the block at <paramref name="Height"/>, as in <see cref="ChainReply"/>; null when nobody was asked.</param>
internal sealed record RegistrationReply(
    string TrustId, bool Registered, uint? Height, string? DelegationRoot, ulong SerialFloor, uint? ScannedTo, string? Checked) : ControlReply;

/// <param name="State"><c>Owned</c>, <c>Committed</c> (a commitment is on the chain), <c>Secret</c> (made here, not on the chain yet) or <c>Free</c>.</param>
/// <param name="Owner">Whose it is.</param>
/// <param name="Expiry">The first height at which it is free.</param>
/// <param name="RevealFrom">The height from which the commitment can be revealed.</param>
/// <param name="Checked">What stands behind the block of its newest record, as in <see cref="ChainReply"/>; null when nobody was asked.</param>
internal sealed record NameReply(
    string Name, string State, string? Owner, uint? RegisteredAt, uint? Expiry, uint? RevealFrom, uint? ScannedTo, string? Checked) : ControlReply;
