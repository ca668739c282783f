using Carrier.Lab.Network;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Matrix;

/// <summary>All processes under test: a seed in every seed's namespace, a node on every site that takes part.</summary>
internal sealed class Fleet : IAsyncDisposable
{
    private static readonly TimeSpan SeedDeadline = TimeSpan.FromSeconds(30);

    private readonly Dictionary<Site, LabProcess> _seeds = [];
    private readonly List<string> _seedContacts = [];
    private readonly Dictionary<Site, SiteNode> _nodes = [];

    private readonly LabNetwork _network;
    private readonly CarrierCommands _commands;
    private readonly string _artifacts;

    private Fleet(LabNetwork network, CarrierCommands commands, string artifacts) => (_network, _commands, _artifacts) = (network, commands, artifacts);

    public SiteNode this[Site site] => _nodes[site];

    /// <summary>The <c>key@host:port</c> of every seed, by IPv4 and by IPv6.</summary>
    public IReadOnlyList<string> SeedContacts => _seedContacts;

    /// <summary>Starts the seeds and makes every node's identity; nodes are still down.</summary>
    public static async Task<Fleet> StartAsync(
        LabNetwork network, CarrierCommands commands, IEnumerable<Site> sites, string artifacts, CancellationToken cancellation)
    {
        var fleet = new Fleet(network, commands, artifacts);
        try
        {
            foreach (Site seed in network.Topology.Seeds)
            {
                fleet._seedContacts.AddRange(await fleet.StartSeedAsync(seed, cancellation));
            }

            foreach (Site site in sites)
            {
                fleet._nodes[site] = await SiteNode.CreateAsync(network, commands, site, Path.Combine(artifacts, site.Name), cancellation);
            }

            return fleet;
        }
        catch
        {
            await fleet.DisposeAsync();
            throw;
        }
    }

    /// <summary>Takes the nodes down and up again, so that no dial finds a session already open.</summary>
    public async Task RestartAsync(IEnumerable<Site> sites, CancellationToken cancellation)
    {
        SiteNode[] nodes = [.. sites.Select(site => _nodes[site])];
        await Task.WhenAll(nodes.Select(node => node.DownAsync()));
        await Task.WhenAll(nodes.Select(node => node.UpAsync(_seedContacts, cancellation)));
    }

    /// <summary>Kills a seed without a word to anybody.</summary>
    public async Task KillSeedAsync(Site seed)
    {
        _seeds[seed].Signal(Libc.Kill9);
        await _seeds[seed].DisposeAsync();
        _seeds.Remove(seed);
    }

    /// <summary>Starts a seed, as whom it was before if it ever was; returns its contacts.</summary>
    public async Task<string[]> StartSeedAsync(Site seed, CancellationToken cancellation)
    {
        string folder = Directory.CreateDirectory(Path.Combine(_artifacts, seed.Name)).FullName;
        var process = LabProcess.Start(_network.HostOf(seed), _commands.Seed, CarrierCommands.SeedUp(seed, folder), Path.Combine(folder, "log.txt"));
        _seeds[seed] = process;
        string contact = CarrierCommands.ContactOf(await process.WaitForLineAsync(CarrierCommands.ReadyLine, SeedDeadline, cancellation));
        return [contact, CarrierCommands.ByIPv6(contact, seed)];
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_nodes.Values.Select(node => node.DownAsync()));
        await Task.WhenAll(_seeds.Values.Select(seed => seed.DisposeAsync().AsTask()));
    }
}
