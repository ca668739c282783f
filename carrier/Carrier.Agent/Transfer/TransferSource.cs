namespace Carrier.Agent.Transfer;

/// <summary>What is sent: an offer, and where its data comes from.</summary>
internal abstract class TransferSource(Offer offer)
{
    public Offer Offer { get; } = offer;

    /// <summary>Whether the data can be read a second time: what a broken transfer needs to go on.</summary>
    public abstract bool IsRepeatable { get; }

    /// <summary>Opens an entry's data from its beginning; the caller disposes it.</summary>
    /// <exception cref="IOException">It is gone, or another file by now.</exception>
    public abstract Stream Open(int entry);

    /// <summary>Whether an entry is still what the offer says.</summary>
    public abstract bool IsUnchanged(int entry);
}
