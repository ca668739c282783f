using Carrier.Chain.Channels;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;
using Carrier.Core.Identity;

namespace Carrier.Devnet.Ledger;

/// <summary>Judges the programs of a transaction as the node does, with its words.</summary>
/// <remarks>Keys met before are kept ready: a private network has few of them. Single-threaded.</remarks>
internal sealed class ProgramJudge : IDisposable
{
    /// <summary>Keys kept ready; with one more, all are made anew.</summary>
    private const int MaxKeptKeys = 1024;

    private readonly Dictionary<OwnerPublicKey, P256Verifier> _keys = new();

    /// <param name="transaction">What is judged.</param>
    /// <param name="owners">The owners of what it spends, each once.</param>
    public Verdict Judge(Transaction transaction, IReadOnlyCollection<ProgramHash> owners)
    {
        if (transaction.Programs.Length != owners.Count)
        {
            return Verdicts.Signature("the number of data hashes is different with number of programs");
        }

        byte[] unsigned = transaction.EncodeUnsigned();
        HashSet<ProgramHash> missing = [.. owners];
        foreach (TransactionProgram program in transaction.Programs)
        {
            if (!RedeemScript.TryParse(program.Code.Span, out RedeemScript? script) || !missing.Remove(script.ProgramHash))
            {
                return Verdicts.Signature("the data hashes is different with corresponding program code");
            }

            string? wrong = script.Kind == RedeemScriptKind.MultiSignature
                ? JudgeMany(script, unsigned, program.Parameter.Span)
                : JudgeOne(script, unsigned, program.Parameter.Span);
            if (wrong is not null)
            {
                return Verdicts.Signature(wrong);
            }
        }

        return Verdict.Accepted;
    }

    public void Dispose()
    {
        foreach (P256Verifier key in _keys.Values)
        {
            key.Dispose();
        }
    }

    private string? JudgeOne(RedeemScript script, byte[] unsigned, ReadOnlySpan<byte> parameter)
    {
        if (parameter.Length != RedeemScript.SignatureItemBytes)
        {
            return "invalid signature length";
        }

        return Verify(script.Keys[0], unsigned, parameter[1..]) ? null : "[Validation], Verify failed.";
    }

    private string? JudgeMany(RedeemScript script, byte[] unsigned, ReadOnlySpan<byte> parameter)
    {
        if (parameter.Length % RedeemScript.SignatureItemBytes != 0)
        {
            return "invalid multi sign signatures, length not match";
        }

        int count = parameter.Length / RedeemScript.SignatureItemBytes;
        if (count < script.Required)
        {
            return "invalid signatures, not enough signatures";
        }

        if (count > script.Keys.Length)
        {
            return "invalid signatures, too many signatures";
        }

        HashSet<OwnerPublicKey> signed = [];
        for (; !parameter.IsEmpty; parameter = parameter[RedeemScript.SignatureItemBytes..])
        {
            foreach (OwnerPublicKey key in script.Keys)
            {
                if (Verify(key, unsigned, parameter[1..RedeemScript.SignatureItemBytes]))
                {
                    if (!signed.Add(key))
                    {
                        return "duplicated signatures";
                    }

                    break;
                }
            }
        }

        return signed.Count < script.Required ? "matched signatures not enough" : null;
    }

    private bool Verify(OwnerPublicKey key, byte[] unsigned, ReadOnlySpan<byte> signature)
    {
        if (!_keys.TryGetValue(key, out P256Verifier? verifier))
        {
            if (_keys.Count == MaxKeptKeys)
            {
                Dispose();
                _keys.Clear();
            }

            _keys[key] = verifier = new P256Verifier(key);
        }

        return verifier.Verify(unsigned, new ChannelSignature(signature));
    }
}
