using System.Security.Cryptography;
using System.Text.Json;
using Carrier.Lab.Network;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Matrix;

/// <summary>One fresh dial from one site to another with a file sent over it.</summary>
/// <param name="Connected">The sender ended well and said how.</param>
/// <param name="HashEqual">The file found at the receiver is the file sent, by SHA-256 of both.</param>
/// <param name="Path">The path kind the sender named.</param>
/// <param name="DirectShare">Of the bytes the core saw the sender send, the fraction that went straight to the receiver's public addresses.</param>
/// <param name="FirstByteMs">Dial to first byte, by the sender's clock.</param>
/// <param name="DirectMs">Dial to the first of the file on a direct path, by the same clock; null when it had none.</param>
/// <param name="Ping">A ping right after, over whatever path the session settled on; null when it failed.</param>
/// <param name="Failure">Why it did not work; empty when it did.</param>
internal sealed record Trial(
    string From, string To, int Round, bool Connected, bool HashEqual, string Path, double DirectShare, double FirstByteMs, double? DirectMs, PingReport? Ping, string Failure)
{
    /// <summary>Bytes that the network must have seen go straight: the path may have changed late in the file, but something must have followed it.</summary>
    public const double DirectShareNeeded = 0.1;

    private static readonly TimeSpan SendDeadline = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan PingDeadline = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan ArrivalDeadline = TimeSpan.FromSeconds(3);

    /// <summary>Said by the sender and seen by the network.</summary>
    public bool Direct => Path == "direct" && DirectShare >= DirectShareNeeded;

    public static async Task<Trial> RunAsync(
        SiteNode from, SiteNode to, int round, int fileBytes, FlowCounters flows, string artifacts, CancellationToken cancellation)
    {
        var trial = new Trial(from.Site.Name, to.Site.Name, round, false, false, "none", 0, double.NaN, null, null, "");
        string file = System.IO.Path.Combine(artifacts, $"{from.Site}-to-{to.Site}-{round}.bin");
        byte[] content = RandomNumberGenerator.GetBytes(fileBytes);
        await File.WriteAllBytesAsync(file, content, cancellation);
        await flows.ResetAsync(cancellation);
        ToolResult sent = await from.RunAsync(CarrierCommands.Send(from.Folder, file, to.TrustId), SendDeadline, cancellation);
        SentBytes bytes = await flows.SentByAsync(from.Site, cancellation);
        string said = $"exit {sent.ExitCode}\n{sent.Output}\n{sent.Error}".Trim();
        if (sent.Succeeded && TryRead(() => CarrierCommands.SendReportOf(sent.Output)) is { } report)
        {
            byte[] hash = SHA256.HashData(content);
            bool arrived = await HasArrivedAsync(to.Inbox, System.IO.Path.GetFileName(file), hash, cancellation);
            bool agreed = string.Equals(report.Sha256, Convert.ToHexString(hash), StringComparison.OrdinalIgnoreCase);
            ToolResult ping = await from.RunAsync(CarrierCommands.Ping(from.Folder, to.TrustId), PingDeadline, cancellation);
            trial = trial with
            {
                Connected = true,
                HashEqual = arrived && agreed,
                Path = report.Path,
                DirectShare = DirectShareOf(bytes, from.Site, to.Site, fileBytes),
                FirstByteMs = report.FirstByteMs,
                DirectMs = report.DirectMs,
                Ping = ping.Succeeded ? TryRead(() => CarrierCommands.PingReportOf(ping.Output)) : null,
                Failure = !arrived ? "the receiver's file is missing or differs" : !agreed ? $"the sender named another hash: {report.Sha256}" : "",
            };
            trial = trial is { Failure: "", Path: "direct", Direct: false }
                ? trial with { Failure = $"said direct, but the core saw {trial.DirectShare:P0} of its bytes go to the receiver" }
                : trial;
        }
        else
        {
            trial = trial with { Failure = said.Split('\n').Last(line => line.Length > 0) };
        }

        File.Delete(file);
        return trial with { Failure = trial.Failure.Length > 0 ? KeepLogs(trial, from, to, said, artifacts) : "" };
    }

    /// <summary>What passes between two hosts behind one NAT the core never sees; what it does see of the file went to a relay.</summary>
    public static double DirectShareOf(SentBytes bytes, Site from, Site to, int fileBytes) =>
        from.PublicAddress.Equals(to.PublicAddress) ? 1 - Math.Min(1, (double)bytes.Total / fileBytes)
        : bytes.Total > 0 ? (double)bytes.To(to) / bytes.Total
        : 0;

    /// <summary>Copies what both ends said so far beside what the sender printed; the reason is returned with the folder's name.</summary>
    private static string KeepLogs(Trial trial, SiteNode from, SiteNode to, string said, string artifacts)
    {
        string folder = Directory.CreateDirectory(System.IO.Path.Combine(artifacts, "failures", $"{trial.From}-to-{trial.To}-{trial.Round}")).FullName;
        File.WriteAllText(System.IO.Path.Combine(folder, "send.txt"), $"{trial.Failure}\n\n{said}\n");
        foreach (SiteNode node in new[] { from, to })
        {
            File.Copy(node.Log, System.IO.Path.Combine(folder, $"{node.Site}.txt"), overwrite: true);
        }

        return $"{trial.Failure} ({folder})";
    }

    private static T? TryRead<T>(Func<T> read)
        where T : class
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null; // the output is kept whole in the failure's folder
        }
    }

    private static async Task<bool> HasArrivedAsync(string inbox, string name, byte[] hash, CancellationToken cancellation)
    {
        for (DateTime deadline = DateTime.UtcNow + ArrivalDeadline; DateTime.UtcNow < deadline; await Task.Delay(50, cancellation))
        {
            if (Directory.EnumerateFiles(inbox, name, SearchOption.AllDirectories).FirstOrDefault() is { } file)
            {
                bool equal = SHA256.HashData(await File.ReadAllBytesAsync(file, cancellation)).AsSpan().SequenceEqual(hash);
                if (equal)
                {
                    File.Delete(file);
                    return true;
                }
            }
        }

        return false;
    }
}
