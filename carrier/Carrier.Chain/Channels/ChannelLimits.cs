namespace Carrier.Chain.Channels;

/// <summary>The named bounds of channels.</summary>
public static class ChannelLimits
{
    /// <summary>The node's flat minimum, in Sela: 99 is refused, 100 accepted.</summary>
    public const long MinFee = 100;

    /// <summary>A fee above this is a slip of the hand: a hundredth of an ELA.</summary>
    public const long MaxFee = 1_000_000;

    /// <summary>What a close offers when nobody said otherwise, in Sela.</summary>
    public const long DefaultFee = 10_000;

    /// <summary>Bytes of a funding transaction on the wire of a channel: about a hundred inputs. The chain would take two million.</summary>
    public const int MaxFundingBytes = 16_384;

    /// <summary>Bytes of a gate or refund on the wire; the canonical ones have 155 and 196.</summary>
    public const int MaxCommitmentBytes = 512;

    /// <summary>Bytes of one message of a channel, its length field not counted.</summary>
    public const int MaxMessageBytes = MaxFundingBytes + (2 * MaxCommitmentBytes) + 256;

    /// <summary>How many blocks before L a payee that is always on closes: an hour, longer than a short censorship or an outage of the node.</summary>
    public const uint AlwaysOnMargin = 30;

    /// <summary>How many blocks before L a payee that is not always on closes: a day.</summary>
    public const uint SometimesOnMargin = 720;

    /// <summary>Blocks for which a payee waits for a funding transaction that is neither mined nor in a pool: two hours.</summary>
    public const uint FundingPatience = 60;

    /// <summary>Confirmations after which a mined transaction is believed for good: nodes refuse to reorganise six blocks or more.</summary>
    public const uint FinalConfirmations = 6;

    /// <summary>The greatest lock height: what is left of 32 bits for margins to be added to.</summary>
    public const uint MaxLockHeight = uint.MaxValue - 100_000;
}
