using System.Text;
using System.Text.Json;
using Carrier.Agent.Commands;
using Carrier.Agent.Control;
using Carrier.Agent.Transfer;

namespace Carrier.Fuzz.Targets;

/// <summary>Parsers of the file transfer, the control protocol, and what is shown of peer-given text.</summary>
public static class AgentTargets
{
    private static readonly Offer Golden = Create();

    public static void Offers(ReadOnlySpan<byte> data)
    {
        if (Offer.TryParse(data, out Offer? offer) != OfferReading.Read)
        {
            return;
        }

        Assert.InRange(offer!.Entries.Count, offer.IsFolder ? 0 : 1, TransferLimits.MaxEntries);
        Assert.True(offer.TotalBytes >= 0);
        foreach (OfferEntry entry in offer.Entries)
        {
            // Whatever was let through stays below the folder it is combined with.
            string root = Path.GetFullPath("/root/of/all");
            string combined = Path.GetFullPath(Path.Combine([root, .. entry.Path.Segments]));
            Assert.StartsWith(root + Path.DirectorySeparatorChar, combined, StringComparison.Ordinal);
        }

        byte[]? again = offer.Encode();
        Assert.NotNull(again);
        Assert.Equal(OfferReading.Read, Offer.TryParse(again, out Offer? back));
        Assert.Equal(offer.Entries, back!.Entries);
    }

    public static void Acceptances(ReadOnlySpan<byte> data)
    {
        if (!Acceptance.TryParse(data, Golden, out Acceptance? acceptance))
        {
            return;
        }

        Assert.True(acceptance!.Whole.All(entry => entry < Golden.Entries.Count));
        Assert.True(acceptance.Partial.All(pair => pair.Value > 0 && pair.Value <= Golden.Entries[pair.Key].Size));
        Assert.True(Acceptance.TryParse(acceptance.Encode(), Golden, out Acceptance? back));
        Assert.Equal(acceptance.Partial, back!.Partial);
    }

    public static void Notices(ReadOnlySpan<byte> data)
    {
        if (Notice.TryParse(data, out Notice notice))
        {
            Span<byte> again = stackalloc byte[TransferLimits.MaxNoticeBytes];
            Assert.True(Notice.TryParse(again[..notice.Write(again)], out Notice back));
            Assert.Equal(notice, back);
        }
    }

    /// <summary>The daemon reads requests from any process of its user: bad ones are told from good ones by one exception, at one place.</summary>
    public static void ControlRequests(ReadOnlySpan<byte> data)
    {
        try
        {
            _ = JsonSerializer.Deserialize(data, ControlJson.Default.ControlRequest);
        }
        catch (Exception e) when (e is JsonException or NotSupportedException)
        {
            // What ControlConnection answers for.
        }
    }

    public static void ShownText(ReadOnlySpan<byte> data)
    {
        string safe = SafeText.Of(Encoding.UTF8.GetString(data));
        Assert.DoesNotContain(safe, char.IsControl);
        Assert.True(safe.Length <= (SafeText.MaxRunes * "<U+10FFFF>".Length) + 1);
    }

    internal static Offer Create()
    {
        OfferEntry[] entries =
        [
            Entry("bin", EntryKind.Folder, 0),
            Entry("bin/run.sh", EntryKind.Executable, 4096),
            Entry("caf\u00E9.txt", EntryKind.File, 70_000),
        ];
        return Offer.TryCreate(isFolder: true, "tree", entries, out Offer? offer) == OfferReading.Read
            ? offer!
            : throw new InvalidOperationException("The golden offer is refused.");
    }

    private static OfferEntry Entry(string path, EntryKind kind, long size) =>
        EntryPath.TryParse(path, out EntryPath parsed)
            ? new OfferEntry(parsed, kind, 1_700_000_000_000, size)
            : throw new InvalidOperationException("A golden path is refused.");
}
