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
internal sealed record ProofReply(string TransactionId, uint Height, string Block, string Standing, bool? FileMatches) : ControlReply;
