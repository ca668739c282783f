using Carrier.Chain.Transactions;

namespace Carrier.Devnet.Ledger;

/// <summary>The refusals, worded as the recorded node words them. The numbers of input, output, program and parent were not recorded and are ours.</summary>
internal static class Verdicts
{
    public static readonly Verdict AlreadyExists = new(Refusal.AlreadyExists, -22011, "transaction validate error: transaction already exist");

    public static readonly Verdict CoinBase = new(Refusal.CoinBase, -21002, "block validate error: coinbase transaction is invalid");

    public static readonly Verdict UnknownParent = new(Refusal.UnknownParent, -22008, "transaction validate error: unknown referred transaction");

    public static readonly Verdict DoubleSpend = new(Refusal.DoubleSpend, -22010, "transaction validate error: double spend");

    public static readonly Verdict ImmatureCoinBase = CoinBase with { Refusal = Refusal.ImmatureCoinBase, Detail = "the utxo of coinbase is locking" };

    public static readonly Verdict Fee = new(Refusal.Fee, -22003, "transaction validate error: balance not matched", "transaction fee not enough");

    public static readonly Verdict NoPrograms =
        new(Refusal.ProgramContent, -22004, "transaction validate error: attribute or program content invalid", "no programs found in transaction");

    public static readonly Verdict NotFinal = new(Refusal.NotFinal, -21003, "block validate error: block contains unfinalized transaction");

    public static Verdict Input(string detail) => new(Refusal.Input, -22000, "transaction validate error: input invalid", detail);

    public static Verdict Output(string detail) => new(Refusal.Output, -22001, "transaction validate error: output invalid", detail);

    public static Verdict Locked(string detail) => new(Refusal.LockedOutput, -22009, "transaction validate error: using locked UTXO", detail);

    public static Verdict Signature(string detail) => new(Refusal.Signature, -22005, "transaction validate error: signature invalid", detail);

    /// <summary>The words of JSON-RPC end before the detail; a P2P reject carries it.</summary>
    public static Verdict PoolConflict(OutPoint spent)
    {
        Span<byte> key = stackalloc byte[OutPoint.Bytes];
        spent.CopyTo(key);
        return new Verdict(Refusal.PoolConflict, -71000, "slot TxInputsReferKeys verify tx error", $"string key {Convert.ToHexStringLower(key)} alread exist in tx pool", -71007);
    }
}
