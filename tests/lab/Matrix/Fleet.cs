using Carrier.Lab.Network;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Matrix;

/// <summary>All processes under test: a seed in every seed's namespace, a node on every site that takes part.</summary>
internal sealed class Fleet : IAsyncDisposable
{
    private static readonly TimeSpan SeedDeadline = TimeSpan.FromSeconds(30);

    private readonly List<LabProcess> _seeds = [];
    private readonly List<string> _seedContacts = [];
    private readonly Dictionary<Site, SiteNode> _nodes = [];

    private Fleet()
    {
    }

    public SiteNode this[Site site] => _nodes[site];

    /// <summary>The <c>key@host:port</c> of every seed.</summary>
    public IReadOnlyList<string> SeedContacts => _seedContacts;

    /// <summary>Starts the seeds and makes every node's identity; nodes are still down.</summary>
    public static async Task<Fleet> StartAsync(
        LabNetwork network, CarrierCommands commands, IEnumerable<Site> sites, string artifacts, CancellationToken cancellation)
    {
        var fleet = new Fleet();
        try
        {
            foreach (Site seed in network.Topology.Seeds)
            {
                string folder = Directory.CreateDirectory(Path.Combine(artifacts, seed.Name)).FullName;
                var process = LabProcess.Start(network.HostOf(seed), commands.Seed, CarrierCommands.SeedUp(seed, folder), Path.Combine(folder, "log.txt"));
                fleet._seeds.Add(process);
                string ready = await process.WaitForLineAsync(CarrierCommands.ReadyLine, SeedDeadline, cancellation);
                fleet._seedContacts.Add(CarrierCommands.ContactOf(ready));
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

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_nodes.Values.Select(node => node.DownAsync()));
        await Task.WhenAll(_seeds.Select(seed => seed.DisposeAsync().AsTask()));
    }
}
