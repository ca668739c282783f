using Carrier.Chain.Primitives;

namespace Carrier.Chain.Access;

/// <summary>What a node made of a transaction it was handed.</summary>
public enum SendOutcome
{
    Accepted,

    /// <summary>It has it already, waiting or mined: as good as accepted.</summary>
    AlreadyKnown,

    /// <summary>An input is spent by a mined transaction.</summary>
    DoubleSpend,

    /// <summary>An input is spent by a transaction that waits.</summary>
    PoolConflict,

    /// <summary>A parent is not mined, or unknown.</summary>
    UnknownParent,

    FeeTooLow,

    SignatureInvalid,

    /// <summary>A coinbase output too young, or an OutputLock not satisfied.</summary>
    Locked,

    /// <summary>Another reason.</summary>
    Refused,

    /// <summary>No answer: it may have it or not.</summary>
    Unknown,
}

/// <summary>Reads outcomes from nodes' words: all refusals share one code, and only fragments of the message tell them apart.</summary>
public static class SendOutcomes
{
    private static readonly (string Fragment, SendOutcome Outcome)[] Fragments =
    [
        ("already exist", SendOutcome.AlreadyKnown),
        ("slot TxInputsReferKeys", SendOutcome.PoolConflict),
        ("double spend", SendOutcome.DoubleSpend),
        ("unknown referred transaction", SendOutcome.UnknownParent),
        ("fee not enough", SendOutcome.FeeTooLow),
        ("signature invalid", SendOutcome.SignatureInvalid),
        ("using locked UTXO", SendOutcome.Locked),
        ("coinbase", SendOutcome.Locked),
    ];

    public static bool IsTaken(this SendOutcome outcome) => outcome is SendOutcome.Accepted or SendOutcome.AlreadyKnown;

    public static SendOutcome Of(NodeAnswer<Hash256> answer) => answer.Fault switch
    {
        NodeFault.None => SendOutcome.Accepted,
        NodeFault.Error => OfMessage(answer.Detail),
        _ => SendOutcome.Unknown,
    };

    public static SendOutcome OfMessage(string message)
    {
        foreach ((string fragment, SendOutcome outcome) in Fragments)
        {
            if (message.Contains(fragment, StringComparison.Ordinal))
            {
                return outcome;
            }
        }

        return SendOutcome.Refused;
    }
}
