using System.Net;
using System.Text.Json;
using Carrier.Lab.Network;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Links;

/// <summary>Two namespaces joined by an emulated link, and the process that emulates it.</summary>
internal sealed class LinkNetwork : IAsyncDisposable
{
    public const string Device = "link0";

    private readonly Undertaker _undertaker;
    private LabProcess? _emulator;

    private LinkNetwork(Undertaker undertaker, string prefix)
    {
        _undertaker = undertaker;
        (Sending, Receiving) = ($"{prefix}-send", $"{prefix}-receive");
    }

    /// <summary>The namespace whose programs send, at <see cref="SendingAddress"/>.</summary>
    public string Sending { get; }

    public string Receiving { get; }

    public static IPAddress SendingAddress { get; } = IPAddress.Parse("198.18.201.1");

    public static IPAddress ReceivingAddress { get; } = IPAddress.Parse("198.18.202.1");

    public static async Task<LinkNetwork> BuildAsync(LinkConditions conditions, int seed, CancellationToken cancellation)
    {
        await Undertaker.BuryTheDeadAsync(cancellation);
        string prefix = LabRun.Current.Prefix;
        LinkNetwork network = new(new Undertaker(prefix, keep: false), prefix);
        try
        {
            await network.MakeAsync(seed, cancellation);
            await network.ChangeAsync(conditions, cancellation);
            return network;
        }
        catch
        {
            await network.DisposeAsync();
            throw;
        }
    }

    /// <summary>Has other conditions hold for what enters the link from now on.</summary>
    public Task ChangeAsync(LinkConditions conditions, CancellationToken cancellation) =>
        _emulator!.AskAsync(JsonSerializer.Serialize(conditions), "CHANGED", cancellation);

    /// <summary>Ends the link and says what it did, the sending direction first.</summary>
    public async Task<LinkReport[]> EndAsync(CancellationToken cancellation)
    {
        _emulator!.CloseInput();
        string line = await _emulator.WaitForLineAsync("DONE", TimeSpan.FromSeconds(5), cancellation);
        return JsonSerializer.Deserialize<LinkReport[]>(line["DONE ".Length..]) ?? [];
    }

    public async ValueTask DisposeAsync()
    {
        if (_emulator is not null)
        {
            await _emulator.DisposeAsync();
        }

        await _undertaker.DisposeAsync();
    }

    private async Task MakeAsync(int seed, CancellationToken cancellation)
    {
        await Tool.MustRunAsync("ip", ["-batch", "-"], $"netns add {Sending}\nnetns add {Receiving}\n", cancellation);
        foreach (string netns in new[] { Sending, Receiving })
        {
            // What TCP learnt in one run must not help it in the next.
            NetworkNamespace.Configure(netns, "net/ipv6/conf/default/disable_ipv6=1", "net/ipv4/tcp_no_metrics_save=1");
        }

        string self = Environment.ProcessPath ?? throw new LabException("cannot find the lab's own executable");
        _emulator = LabProcess.StartHere(self, ["link", "--from", Sending, "--to", Receiving, "--seed", $"{seed}"]);
        await _emulator.WaitForLineAsync("READY", TimeSpan.FromSeconds(15), cancellation);
        await ConfigureAsync(Sending, SendingAddress, ReceivingAddress, cancellation);
        await ConfigureAsync(Receiving, ReceivingAddress, SendingAddress, cancellation);
    }

    private static async Task ConfigureAsync(string netns, IPAddress own, IPAddress other, CancellationToken cancellation)
    {
        _ = await Tool.MustRunAsync("ip", ["-n", netns, "-batch", "-"], $"""
            link set lo up
            link set {Device} mtu 1500 txqueuelen 10000 up
            addr add {own} peer {other} dev {Device}
            route add default dev {Device}

            """, cancellation);
    }
}
