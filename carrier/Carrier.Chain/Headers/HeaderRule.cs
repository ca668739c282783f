namespace Carrier.Chain.Headers;

/// <summary>The rule a header breaks. In the order they are judged.</summary>
public enum HeaderRule
{
    /// <summary>None is broken.</summary>
    None,

    /// <summary>The bytes are no header with a proof.</summary>
    Parse,

    /// <summary>The previous hash is not the predecessor's.</summary>
    PreviousHash,

    /// <summary>Not the predecessor's height and one.</summary>
    Height,

    /// <summary>Another block than the signed checkpoint at this height.</summary>
    Checkpoint,

    /// <summary>Not the difficulty this height must have.</summary>
    Bits,

    /// <summary>Below the median of the previous eleven.</summary>
    TimeTooOld,

    /// <summary>More than two hours ahead of the clock.</summary>
    TimeTooNew,

    /// <summary>The parent's coinbase is not in the parent's merkle root.</summary>
    CoinBaseMerkle,

    /// <summary>The coinbase script lacks <c>fabe6d6d</c>.</summary>
    NoMagic,

    /// <summary>The coinbase script does not commit to this block.</summary>
    NoCommitment,

    /// <summary><c>fabe6d6d</c> is there twice.</summary>
    TwoMagics,

    /// <summary>The commitment does not directly follow the magic.</summary>
    CommitmentNotAfterMagic,

    /// <summary>Size and nonce are missing after the commitment.</summary>
    ShortScript,

    /// <summary>The size is not that of the aux merkle tree.</summary>
    SizeField,

    /// <summary>Not the slot of this chain.</summary>
    AuxIndex,

    /// <summary>The parent header's hash is above the target.</summary>
    ProofOfWork,

    /// <summary>The target is not positive or above the limit.</summary>
    BitsRange,
}

/// <summary>The names of the rules in messages and in recorded data.</summary>
public static class HeaderRules
{
    /// <summary>Lower case, hyphenated: <c>coinbase-merkle</c>, <c>time-too-old</c>.</summary>
    public static string Name(this HeaderRule rule) => rule switch
    {
        HeaderRule.None => "ok",
        HeaderRule.Parse => "parse",
        HeaderRule.PreviousHash => "prev-hash",
        HeaderRule.Height => "height",
        HeaderRule.Checkpoint => "checkpoint",
        HeaderRule.Bits => "bits",
        HeaderRule.TimeTooOld => "time-too-old",
        HeaderRule.TimeTooNew => "time-too-new",
        HeaderRule.CoinBaseMerkle => "coinbase-merkle",
        HeaderRule.NoMagic => "no-magic",
        HeaderRule.NoCommitment => "no-commitment",
        HeaderRule.TwoMagics => "two-magics",
        HeaderRule.CommitmentNotAfterMagic => "commitment-not-after-magic",
        HeaderRule.ShortScript => "short-script",
        HeaderRule.SizeField => "size-field",
        HeaderRule.AuxIndex => "aux-index",
        HeaderRule.ProofOfWork => "pow",
        HeaderRule.BitsRange => "bits-range",
        _ => throw new ArgumentOutOfRangeException(nameof(rule)),
    };
}
