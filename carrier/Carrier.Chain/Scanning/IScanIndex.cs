using Carrier.Chain.Access;

namespace Carrier.Chain.Scanning;

/// <summary>Something that follows from the chain's transactions, block after block: who is registered, who decides. Pure.</summary>
public interface IScanIndex
{
    /// <summary>The last block that was looked through.</summary>
    uint ScannedTo { get; }

    /// <summary>Whether a transaction may have an effect, so that it must be kept.</summary>
    bool Wants(ProvedTransaction transaction);

    /// <summary>Takes what it wants of the next block, or of the next one that has any, in the block's order.</summary>
    void Apply(uint height, IReadOnlyList<ProvedTransaction> transactions);

    /// <summary>Forgets every block above a height, after a reorganisation.</summary>
    void Rewind(uint height);
}
