using Carrier.Lab.Network;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Matrix;

/// <summary>A carrier node on a site: its folder (home, inbox, log), its TrustID, and its processes while it is up.</summary>
internal sealed class SiteNode : IAsyncDisposable
{
    private static readonly TimeSpan StartDeadline = TimeSpan.FromSeconds(30);

    private readonly LabNetwork _network;
    private readonly CarrierCommands _commands;
    private readonly List<LabProcess> _processes = [];

    private SiteNode(LabNetwork network, CarrierCommands commands, Site site, string folder, string trustId)
    {
        _network = network;
        _commands = commands;
        Site = site;
        Folder = folder;
        TrustId = trustId;
    }

    public Site Site { get; }

    public string Folder { get; }

    public string TrustId { get; }

    public string Inbox => CarrierCommands.InboxOf(Folder);

    public string Log => Path.Combine(Folder, "log.txt");

    /// <summary>Makes the node's identity; it keeps it through every restart.</summary>
    public static async Task<SiteNode> CreateAsync(LabNetwork network, CarrierCommands commands, Site site, string folder, CancellationToken cancellation)
    {
        Directory.CreateDirectory(CarrierCommands.InboxOf(folder));
        string output = await Tool.MustRunAsync(
            "ip", ["netns", "exec", network.HostOf(site), commands.Carrier, .. CarrierCommands.Init(folder)], cancellation: cancellation);
        try
        {
            return new SiteNode(network, commands, site, folder, CarrierCommands.TrustIdOf(output));
        }
        catch (Exception e) when (e is System.Text.Json.JsonException or KeyNotFoundException)
        {
            throw new LabException($"carrier init at {site} printed no trustId: {output.Trim()}");
        }
    }

    public async Task UpAsync(IReadOnlyList<string> seedContacts, CancellationToken cancellation)
    {
        LabProcess daemon = Start(CarrierCommands.Up(Folder, seedContacts));
        await daemon.WaitForLineAsync(CarrierCommands.ReadyLine, StartDeadline, cancellation);
        Start(CarrierCommands.Receive(Folder));
    }

    public async Task DownAsync()
    {
        foreach (LabProcess process in Enumerable.Reverse(_processes))
        {
            await process.DisposeAsync();
        }

        _processes.Clear();
    }

    /// <summary>Runs one carrier command on this site to its end.</summary>
    public Task<ToolResult> RunAsync(IEnumerable<string> arguments, TimeSpan deadline, CancellationToken cancellation) =>
        Tool.RunAsync("ip", ["netns", "exec", _network.HostOf(Site), _commands.Carrier, .. arguments], deadline: deadline, cancellation: cancellation);

    public async ValueTask DisposeAsync() => await DownAsync();

    private LabProcess Start(IEnumerable<string> arguments)
    {
        var process = LabProcess.Start(_network.HostOf(Site), _commands.Carrier, arguments, _processes.Count == 0 ? Log : Path.Combine(Folder, "receive.txt"));
        _processes.Add(process);
        return process;
    }
}
