using System.Diagnostics.CodeAnalysis;

namespace Carrier.Chain.Transactions;

/// <summary>What a transaction is for. Only these are read: the chain has more kinds, and one that is not here is reported, never guessed.</summary>
[SuppressMessage("Design", "CA1028:Enum Storage should be Int32", Justification = "A wire byte.")]
public enum TransactionType : byte
{
    CoinBase = 0x00,

    /// <summary>In a genesis block only.</summary>
    RegisterAsset = 0x01,
    TransferAsset = 0x02,

    /// <summary>Anchors bytes on the chain.</summary>
    Record = 0x03,

    /// <summary>Announces the arbiters of the next turn.</summary>
    NextTurnDposInfo = 0x14,
}

/// <summary>The two formats of a transaction.</summary>
[SuppressMessage("Design", "CA1028:Enum Storage should be Int32", Justification = "A wire byte.")]
public enum TransactionVersion : byte
{
    /// <summary>The old format: no version byte, outputs without a type.</summary>
    V0 = 0,

    V9 = 9,
}

/// <summary>What an attribute says. No other decodes.</summary>
[SuppressMessage("Design", "CA1028:Enum Storage should be Int32", Justification = "A wire byte.")]
public enum AttributeUsage : byte
{
    Nonce = 0x00,
    Script = 0x20,
    Memo = 0x81,
    Description = 0x90,
    DescriptionUrl = 0x91,
    Confirmations = 0x92,
}

/// <summary>What <see cref="Transaction.TryParse(ReadOnlySpan{byte}, out Transaction?)"/> made of bytes.</summary>
public enum TransactionReading
{
    Read,

    /// <summary>They end early, a length or count is out of bounds, a varint is longer than it needs to be, or bytes follow the end.</summary>
    Malformed,

    /// <summary>A version, type or payload version this client does not read. Its outputs are unknown: worth an alarm when it concerns the wallet.</summary>
    UnknownType,

    /// <summary>An output of a kind this client does not read.</summary>
    UnknownOutput,

    /// <summary>An attribute usage no node decodes.</summary>
    UnknownAttribute,

    /// <summary>An amount, or the sum of them, is negative or above the total supply.</summary>
    AmountOutOfRange,
}
