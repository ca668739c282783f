namespace Carrier.Agent.Transfer;

/// <summary>Data that is read once and whose end nobody knows: standard input.</summary>
internal sealed class StreamSource : TransferSource
{
    private readonly Stream _stream;

    private StreamSource(Offer offer, Stream stream)
        : base(offer) => _stream = stream;

    public override bool IsRepeatable => false;

    /// <summary>False when no receiver would take <paramref name="name"/>.</summary>
    public static bool TryCreate(string name, Stream stream, DateTimeOffset now, out StreamSource? source)
    {
        source = null;
        if (!EntryPath.TryParse(name, out EntryPath path)
            || Offer.TryCreate(false, name, [new OfferEntry(path, EntryKind.File, now.ToUnixTimeMilliseconds(), null)], out Offer? offer) != OfferReading.Read)
        {
            return false;
        }

        source = new StreamSource(offer!, stream);
        return true;
    }

    public override Stream Open(int entry) => _stream;

    public override bool IsUnchanged(int entry) => true;
}
