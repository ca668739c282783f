using System.Text.Json;
using System.Text.Json.Serialization;
using Carrier.Lab.Network;

namespace Carrier.Lab.Beside;

/// <summary>The two programs' dials side by side: by pair, and by what the two NATs have in common.</summary>
internal static class DialReports
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        WriteIndented = true,
    };

    private static readonly string[] Columns = ["connected", "direct", "p50 ms", "p90 ms", "longest", "direct p50", "longest"];

    public static string Table(Topology topology, IReadOnlyList<Dial> theirs, IReadOnlyList<Dial> ours)
    {
        bool isBeside = ours.Count > 0;
        var rows = new List<string[]>
        {
            (string[])["", "hyperdht", .. Columns[1..].Select(_ => ""), .. isBeside ? Columns.Select((_, i) => i == 0 ? "carrier" : "") : Array.Empty<string>()],
            (string[])["pair", .. Columns, .. isBeside ? Columns : []],
        };
        foreach (Comparison row in ByPair(theirs, ours).Concat(ByFamily(topology, theirs, ours)))
        {
            rows.Add([row.Name, .. Cells(row.HyperDht), .. isBeside ? Cells(row.Carrier) : []]);
        }

        int width = rows.Max(row => row[0].Length);
        return string.Join('\n', rows.Select(row => string.Concat(row.Select((text, i) => i == 0 ? text.PadRight(width) : text.PadLeft(11)))));
    }

    public static string ToJson(Topology topology, IReadOnlyList<Dial> theirs, IReadOnlyList<Dial> ours, bool mayRelay) => JsonSerializer.Serialize(
        new
        {
            mayRelay,
            families = ByFamily(topology, theirs, ours),
            pairs = ByPair(theirs, ours),
            dials = new { hyperDht = theirs, carrier = ours },
        },
        Json);

    /// <summary>A comparison has no bar, but two public hosts that do not meet would mean that the lab is at fault and not the program; ours must connect always.</summary>
    public static void Judge(IReadOnlyList<Dial> theirs, IReadOnlyList<Dial> ours, Tally tally)
    {
        Dial[] control = [.. theirs.Where(dial => dial is { From: "public-a", To: "public-b" })];
        tally.Check(control.All(dial => dial.Direct), $"hyperdht between public hosts, the control: {control.Count(dial => dial.Direct)}/{control.Length} direct");
        if (ours.Count > 0)
        {
            string failures = string.Concat(ours.Where(dial => dial.Failure.Length > 0).Select(dial => $"; {dial.From} -> {dial.To}: {dial.Failure}"));
            tally.Check(failures.Length == 0, $"carrier connected {ours.Count(dial => dial.FirstByteMs is not null)}/{ours.Count}{failures}");
        }
    }

    private static IEnumerable<Comparison> ByPair(IReadOnlyList<Dial> theirs, IReadOnlyList<Dial> ours) =>
        Group(theirs, ours, dial => $"{dial.From} -> {dial.To}");

    private static IEnumerable<Comparison> ByFamily(Topology topology, IReadOnlyList<Dial> theirs, IReadOnlyList<Dial> ours) =>
        Group(theirs, ours, dial => FamilyOf(topology.Find(dial.From).Kind, topology.Find(dial.To).Kind)).OrderBy(family => family.Name, StringComparer.Ordinal);

    private static IEnumerable<Comparison> Group(IReadOnlyList<Dial> theirs, IReadOnlyList<Dial> ours, Func<Dial, string> key)
    {
        ILookup<string, Dial> oursByKey = ours.ToLookup(key);
        return theirs.GroupBy(key).Select(group => new Comparison(group.Key, DialSummary.Of([.. group]), DialSummary.Of([.. oursByKey[group.Key]])));
    }

    /// <summary>Symmetric here is every NAT whose port toward a peer others cannot tell, sequential ones too.</summary>
    private static string FamilyOf(SiteKind from, SiteKind to) => (from.IsSymmetric(), to.IsSymmetric()) switch
    {
        (false, false) => "neither symmetric",
        (true, true) => "both symmetric",
        _ => from == SiteKind.Public || to == SiteKind.Public ? "one symmetric, one public" : "one symmetric, none public",
    };

    private static string[] Cells(DialSummary dials) =>
        [$"{dials.Connected}/{dials.Dials}", $"{dials.Direct}/{dials.Dials}", Ms(dials.P50Ms), Ms(dials.P90Ms), Ms(dials.LongestMs), Ms(dials.DirectP50Ms), Ms(dials.DirectLongestMs)];

    private static string Ms(double value) => double.IsNaN(value) ? "-" : $"{value:F0}";

    private sealed record Comparison(string Name, DialSummary HyperDht, DialSummary Carrier);
}
