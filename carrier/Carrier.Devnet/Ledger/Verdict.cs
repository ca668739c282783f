namespace Carrier.Devnet.Ledger;

/// <summary>What the node says to a transaction: yes, or the words and the code it refuses with.</summary>
/// <param name="Refusal">Which rule refused.</param>
/// <param name="Code">The node's own error number, as in a P2P reject message.</param>
/// <param name="Text">What the rule says of itself.</param>
/// <param name="Detail">What it says of this transaction, or null.</param>
/// <param name="DetailCode">The number of the detail.</param>
public sealed record Verdict(Refusal Refusal, int Code, string Text, string? Detail = null, int DetailCode = -1)
{
    public static readonly Verdict Accepted = new(Refusal.None, 0, "");

    public bool IsAccepted => Refusal == Refusal.None;

    /// <summary>The message of a JSON-RPC error. Of a conflict in the pool it names the rule only; a P2P reject carries the detail.</summary>
    public string Message => Detail is null || Refusal == Refusal.PoolConflict ? Text : $"{Text}:{Detail}";

    public override string ToString() => IsAccepted ? "accepted" : Message;
}

/// <summary>The rules a transaction can break, in the node's words where it has them.</summary>
public enum Refusal
{
    None,
    AlreadyExists,
    CoinBase,
    Input,
    Output,
    ProgramContent,
    UnknownParent,
    DoubleSpend,
    LockedOutput,
    ImmatureCoinBase,
    Fee,
    Signature,
    PoolConflict,

    /// <summary>Only of a block: it holds a transaction that may not be mined yet.</summary>
    NotFinal,
}
