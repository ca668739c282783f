namespace Carrier.Chain.Headers;

/// <summary>What was checked of a block: said with every answer, never left to be guessed.</summary>
public enum HeaderAssurance
{
    /// <summary>A signed checkpoint or the genesis block: trusted, not checked.</summary>
    Anchored,

    /// <summary>Merged-mining proof of work, difficulty, height and times, on the chain with the most work.</summary>
    ProofOfWork,

    /// <summary>Proof of work, and a confirm by the arbiters in office.</summary>
    ProofOfWorkAndConfirm,
}
