using Carrier.Lab.Tools;

namespace Carrier.Lab.Network;

/// <summary>The plan of the little internet: three seeds, and two sites (a and b) of every kind so that a kind can also meet itself.</summary>
internal sealed class Topology
{
    public const int SeedCount = 3;

    private const int FirstSiteNumber = 11;

    /// <summary>Hosts that may dial one at once: each has a /24 of its own.</summary>
    public const int MaxCrowd = 100;

    private Topology(IReadOnlyList<Site> seeds, IReadOnlyList<Site> sites, IReadOnlyList<Site> crowd)
    {
        Seeds = seeds;
        Sites = sites;
        Crowd = crowd;
    }

    public IReadOnlyList<Site> Seeds { get; }

    /// <summary>Everything that is not a seed, in pairs a, b.</summary>
    public IReadOnlyList<Site> Sites { get; }

    /// <summary>Further hosts behind port-restricted NATs, which belong to no pair.</summary>
    public IReadOnlyList<Site> Crowd { get; }

    public IEnumerable<Site> All => Seeds.Concat(Sites).Concat(Crowd);

    /// <summary>Lays out the kinds this kernel can make; the rest were reported as skipped by whoever probed the kernel.</summary>
    public static Topology Of(IEnumerable<SiteKind> kinds, int crowd = 0)
    {
        Site[] seeds = [.. Enumerable.Range(1, SeedCount).Select(n => new Site($"seed{n}", SiteKind.Seed, n))];
        var sites = new List<Site>();
        foreach (SiteKind kind in kinds.Prepend(SiteKind.Public).Distinct())
        {
            int number = FirstSiteNumber + sites.Count;
            bool isShared = SiteDesign.Of(kind).Shares != Sharing.Nothing;
            sites.Add(new Site($"{kind.Name()}-a", kind, number));
            sites.Add(new Site($"{kind.Name()}-b", kind, isShared ? number : number + 1));
        }

        Site[] others = [.. Enumerable.Range(0, crowd).Select(n => new Site($"crowd-{n + 1}", SiteKind.PortRestricted, FirstSiteNumber + sites.Count + n))];
        return new Topology(seeds, sites, others);
    }

    /// <summary>Every ordered pair of kinds: the dialler is the kind's a, the dialled its b.</summary>
    public IEnumerable<(Site From, Site To)> Pairs =>
        from @from in Sites.Where(s => s.Name.EndsWith("-a", StringComparison.Ordinal))
        from to in Sites.Where(s => s.Name.EndsWith("-b", StringComparison.Ordinal))
        select (@from, to);

    /// <summary>Finds a site by its name, or by its kind's with <paramref name="instance"/> (a or b) understood.</summary>
    public Site Find(string name, char instance = 'a') =>
        All.FirstOrDefault(s => s.Name == name || s.Name == $"{name}-{instance}")
        ?? throw new LabException($"no site '{name}'; there are: {string.Join(", ", All)}");
}
