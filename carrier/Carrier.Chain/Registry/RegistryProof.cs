using Carrier.Chain.Access;
using Carrier.Chain.Transactions;
using Carrier.Core.Identity;

namespace Carrier.Chain.Registry;

/// <summary>A registry record proved to be in a block, with who signed it. What a thin client is handed, and checks itself.</summary>
/// <param name="Author">Whose owner key signed the transaction.</param>
/// <param name="Record">What it says.</param>
/// <param name="Proved">The transaction with its branch.</param>
public sealed record RegistryProof(TrustId Author, RegistryRecord Record, ProvedTransaction Proved)
{
    public uint Height => Proved.Header.Height;

    /// <summary>Checks branch, signature and record; that the block is on the chain is the caller's to ask its headers.</summary>
    public static RegistryProof? From(ProvedTransaction proved)
    {
        ArgumentNullException.ThrowIfNull(proved);
        return proved.IsSound && TryGetAuthor(proved.Transaction, out TrustId author) && RegistryRecord.TryRead(proved.Transaction, out RegistryRecord? record)
            ? new RegistryProof(author, record, proved)
            : null;
    }

    /// <summary>Who speaks in a transaction: the one key whose program is the only one, with its signature checked. Two programs, or a multisig, speak for nobody.</summary>
    public static bool TryGetAuthor(Transaction transaction, out TrustId author)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        author = default;
        return transaction.Programs is [var program]
            && RedeemScript.TryParse(program.Code.Span, out RedeemScript? script)
            && script.Kind == RedeemScriptKind.Standard
            && script.Verify(transaction.EncodeUnsigned(), program.Parameter.Span)
            && script.ProgramHash.TryGetTrustId(out author);
    }
}
