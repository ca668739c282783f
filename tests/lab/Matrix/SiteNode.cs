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

    /// <summary>The agent's process id while it is up.</summary>
    public int ProcessId => _processes[0].Id;

    /// <summary>Starts the agent and waits until it is ready.</summary>
    public async Task UpAloneAsync(IReadOnlyList<string> seedContacts, CancellationToken cancellation)
    {
        LabProcess daemon = Start(CarrierCommands.Up(Folder, seedContacts));
        await daemon.WaitForLineAsync(CarrierCommands.ReadyLine, StartDeadline, cancellation);
    }

    /// <summary>As <see cref="UpAloneAsync"/>, with the command that takes files beside it.</summary>
    public async Task UpAsync(IReadOnlyList<string> seedContacts, CancellationToken cancellation)
    {
        await UpAloneAsync(seedContacts, cancellation);
        Start(CarrierCommands.Receive(Folder));
    }

    /// <summary>Stops or resumes the agent as a laptop's lid does.</summary>
    public void Signal(int signal) => _processes[0].Signal(signal);

    /// <summary>Runs a command that must succeed.</summary>
    public async Task MustRunAsync(IEnumerable<string> arguments, CancellationToken cancellation)
    {
        ToolResult result = await RunAsync(arguments, StartDeadline, cancellation);
        if (!result.Succeeded)
        {
            throw new LabException($"carrier on {Site} failed ({result.ExitCode}): {result.Output}{result.Error}".Trim());
        }
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
