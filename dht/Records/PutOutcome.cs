namespace Carrier.Dht.Records;

/// <summary>What a store made of a put. The numbers are the wire's (docs/protocol.md §7).</summary>
public enum PutOutcome
{
    Stored = 0,

    /// <summary>A record of this device with a higher sequence, or another one with the same, is kept already.</summary>
    StaleSequence = 1,

    /// <summary>Compare and swap: the kept sequence is not the expected one.</summary>
    SequenceMismatch = 2,

    /// <summary>A quota of the target, owner or source is used up, or the store is full of closer targets.</summary>
    Full = 3,

    /// <summary>Many nodes are clearly closer to the target.</summary>
    TooFar = 4,

    /// <summary>Not genuine: a signature, the delegation's uses or the target are wrong.</summary>
    Invalid = 5,

    /// <summary>Expired, or expiring too far ahead.</summary>
    Expired = 6,

    /// <summary>Its delegation is revoked.</summary>
    Revoked = 7,

    /// <summary>The write token is not one of this asker, address and target, or is too old.</summary>
    BadToken = 8,

    /// <summary>More signatures wait than may be verified this second; try again.</summary>
    Busy = 9,
}
