namespace Carrier.Chain.Transactions;

/// <summary>What a transaction may hold. A parser that meets more stops there.</summary>
public static class TransactionLimits
{
    /// <summary>The greatest a node relays on any network (the test network's limit; main has 2,000,000).</summary>
    public const int MaxBytes = 8_000_000;

    /// <summary>Limit of the main network for what this client builds itself.</summary>
    public const int MaxOwnBytes = 2_000_000;

    /// <summary>Outputs are numbered with two bytes, so no transaction has more; inputs are held to the same number.</summary>
    public const int MaxInputs = 65_536;

    public const int MaxOutputs = 65_536;

    /// <summary>Attributes are few: a nonce and a memo. The format has no limit; this is one no honest transaction comes near.</summary>
    public const int MaxAttributes = 256;

    /// <summary>Longest attribute: a memo is a note, not a file.</summary>
    public const int MaxAttributeBytes = 1 << 20;

    public const int MaxPrograms = 65_536;

    /// <summary>Longest code the nodes run.</summary>
    public const int MaxCodeBytes = 10_000;

    /// <summary>Longest parameter the nodes run.</summary>
    public const int MaxParameterBytes = 20_000;

    /// <summary>Longest text in a payload that nodes write themselves (asset names, record types).</summary>
    public const int MaxTextBytes = 1 << 16;

    /// <summary>Longest content of a Record.</summary>
    public const int MaxRecordBytes = 1 << 20;

    /// <summary>Arbiters a next-turn announcement may list in each of its lists; main has 36.</summary>
    public const int MaxArbiters = 1_024;
}
