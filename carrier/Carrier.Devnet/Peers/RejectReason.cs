using System.Globalization;
using Carrier.Chain.Primitives;
using Carrier.Chain.Spv;
using Carrier.Devnet.Ledger;

namespace Carrier.Devnet.Peers;

/// <summary>A verdict as the node words it in a <c>reject</c> message: a code of BIP 61, and its error as indented JSON.</summary>
internal static class RejectReason
{
    private const byte Invalid = 0x10;
    private const byte Duplicate = 0x12;
    private const byte InsufficientFee = 0x42;

    public static PeerReject Of(Verdict verdict, Hash256 transaction)
    {
        byte code = verdict.Refusal switch
        {
            Refusal.AlreadyExists => Duplicate,
            Refusal.Fee => InsufficientFee,
            _ => Invalid,
        };
        string inner = verdict.Detail is { } detail ? Error(verdict.DetailCode, detail, "null", indent: 1) : "null";
        return new PeerReject("tx", code, Error(verdict.Code, verdict.Message, inner, indent: 0), transaction);
    }

    /// <summary>The texts are our own and need no escape.</summary>
    private static string Error(int code, string description, string inner, int indent)
    {
        string tabs = new('\t', indent);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{{\n{tabs}\t\"Code\": {code},\n{tabs}\t\"Description\": \"{description}\",\n{tabs}\t\"Inner\": {inner}\n{tabs}}}");
    }
}
