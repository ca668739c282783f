using Carrier.Chain.Transactions;

namespace Carrier.Devnet.Ledger;

/// <summary>An output nobody has spent yet.</summary>
/// <param name="Output">What it is worth and to whom.</param>
/// <param name="Height">Of the block that made it.</param>
/// <param name="IsCoinBase">Whether it has to mature first.</param>
public readonly record struct Coin(TransactionOutput Output, uint Height, bool IsCoinBase);
