using System.Globalization;
using System.Text.Json;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Links;

/// <summary>What a receiver said of one session.</summary>
/// <param name="Bytes">Bytes its application read.</param>
/// <param name="Mbps">From the first byte to the last.</param>
/// <param name="StallMs">The longest time without a byte.</param>
/// <param name="IsEqual">Every byte was what was sent.</param>
internal sealed record FlowReport(long Bytes, double Mbps, double StallMs, bool IsEqual);

/// <summary>Sessions of two real nodes, a process each, in the namespaces of the link: <c>carrier-bench link</c>.</summary>
internal sealed class CarrierFlow : IAsyncDisposable
{
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(30);

    // TCP runs in the kernel, before everything; what is compared is the link's use, not who gets the processor.
    private static readonly string[] Priority = ["-n", "-15"];

    private readonly LabProcess _receiver;
    private readonly LabProcess _sender;
    private readonly int _sessions;

    private CarrierFlow(LabProcess receiver, LabProcess sender, int sessions) => (_receiver, _sender, _sessions) = (receiver, sender, sessions);

    /// <summary>Starts both nodes and their sessions; nothing is sent before <see cref="RunAsync"/>.</summary>
    /// <param name="program">The carrier-bench to use.</param>
    /// <param name="network">Where.</param>
    /// <param name="congestion">cubic or bbr.</param>
    /// <param name="sessions">How many send at once.</param>
    /// <param name="limit">"--seconds N" or "--bytes B", as two words.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public static async Task<CarrierFlow> StartAsync(
        string program, LinkNetwork network, string congestion, int sessions, string[] limit, CancellationToken cancellation)
    {
        var receiver = LabProcess.Start(network.Receiving, "nice", [.. Priority, program, "link", "receive", $"{LinkNetwork.ReceivingAddress}"], logPath: null);
        LabProcess? sender = null;
        try
        {
            string arg = (await receiver.WaitForLineAsync("READY ", StartPatience, cancellation))["READY ".Length..];
            string count = sessions.ToString(CultureInfo.InvariantCulture);
            sender = LabProcess.Start(
                network.Sending, "nice",
                [.. Priority, program, "link", "send", arg, $"{LinkNetwork.SendingAddress}", "--congestion", congestion, "--sessions", count, .. limit], logPath: null);
            _ = await sender.WaitForLineAsync("READY", StartPatience, cancellation);
            return new CarrierFlow(receiver, sender, sessions);
        }
        catch
        {
            await receiver.DisposeAsync();
            await (sender?.DisposeAsync() ?? ValueTask.CompletedTask);
            throw;
        }
    }

    /// <summary>Has the sessions send, and waits for what their receiver says.</summary>
    public async Task<FlowReport[]> RunAsync(TimeSpan patience, CancellationToken cancellation)
    {
        await _sender.WriteLineAsync("go");
        var reports = new FlowReport[_sessions];
        for (int i = 0; i < reports.Length; i++)
        {
            JsonElement said = JsonSerializer.Deserialize<JsonElement>(await _sender.WaitForLineAsync("{", patience, cancellation));
            reports[i] = new(
                said.GetProperty("bytes").GetInt64(), said.GetProperty("Mbps").GetDouble(),
                said.GetProperty("stall_ms").GetDouble(), said.GetProperty("equal").GetInt32() == 1);
        }

        return reports;
    }

    public async ValueTask DisposeAsync()
    {
        await _sender.DisposeAsync();
        await _receiver.DisposeAsync();
    }
}
