namespace Carrier.Chain.Dpos;

/// <summary>The rule a confirm breaks. In the order they are judged.</summary>
public enum ConfirmRule
{
    /// <summary>None is broken.</summary>
    None,

    /// <summary>The bytes are no confirm.</summary>
    Parse,

    ProposalSignature,

    /// <summary>A vote that does not accept: the whole confirm is refused.</summary>
    RejectVote,

    /// <summary>A vote for another proposal.</summary>
    VoteProposal,

    VoteSignature,

    /// <summary>It confirms another block.</summary>
    BlockHash,

    /// <summary>Not more than two thirds of the arbiters, rounded down, counted once each.</summary>
    Majority,

    /// <summary>The sponsor is not in office.</summary>
    Sponsor,

    /// <summary>A voter is not in office.</summary>
    Voter,
}

/// <summary>The names of the rules in messages and in recorded data.</summary>
public static class ConfirmRules
{
    /// <summary>Lower case, hyphenated: <c>proposal-signature</c>.</summary>
    public static string Name(this ConfirmRule rule) => rule switch
    {
        ConfirmRule.None => "ok",
        ConfirmRule.Parse => "parse",
        ConfirmRule.ProposalSignature => "proposal-signature",
        ConfirmRule.RejectVote => "reject-vote",
        ConfirmRule.VoteProposal => "vote-proposal",
        ConfirmRule.VoteSignature => "vote-signature",
        ConfirmRule.BlockHash => "block-hash",
        ConfirmRule.Majority => "majority",
        ConfirmRule.Sponsor => "sponsor",
        ConfirmRule.Voter => "voter",
        _ => throw new ArgumentOutOfRangeException(nameof(rule)),
    };
}
