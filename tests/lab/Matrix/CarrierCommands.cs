using System.Globalization;
using System.Text.Json;
using Carrier.Lab.Network;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Matrix;

/// <summary>What <c>carrier send --json</c> says in its last line.</summary>
/// <param name="DirectMs">When the path was first direct; null when it never was.</param>
internal sealed record SendReport(string Sha256, string Path, double FirstByteMs, double? DirectMs, long Bytes);

/// <summary>What <c>carrier ping --json</c> says in a line.</summary>
internal sealed record PingReport(string Path, double RttMs);

/// <summary>
/// Every command line of the executables under test and the reading of what they print: the one file to change when those change.
/// </summary>
internal sealed class CarrierCommands(string carrier, string seed)
{
    public const string ReadyLine = "READY";

    private const int SeedPort = 4242;

    public string Carrier => carrier;

    public string Seed => seed;

    /// <summary>What kind of program is measured, in words for a report.</summary>
    public string Make => Repository.IsNative(carrier)
        ? "native, as published"
        : "NOT native: it compiles itself while it starts, some 0.3 s more in every first dial; tests/lab/publish makes what users get";

    /// <summary>Null, with a reason said in <paramref name="missing"/>, when either executable is not there.</summary>
    public static CarrierCommands? Find(Arguments arguments, out string missing)
    {
        string? carrier = arguments.Text("--carrier") ?? Repository.Program("carrier/Carrier.Agent", "carrier");
        string? seed = arguments.Text("--seed") ?? Repository.Program("bootstrap", "carrier-seed");
        missing = !File.Exists(carrier) ? $"no executable {carrier ?? "carrier"}: dotnet build -c Release carrier/Carrier.Agent, or --carrier PATH"
            : !File.Exists(seed) ? $"no executable {seed ?? "carrier-seed"}: dotnet build -c Release bootstrap, or --seed PATH"
            : "";
        if (missing.Length > 0)
        {
            return null;
        }

        var commands = new CarrierCommands(Path.GetFullPath(carrier!), Path.GetFullPath(seed!));
        Tally.Say($"{commands.Carrier} ({commands.Make}), {commands.Seed}");
        return commands;
    }

    public static IEnumerable<string> SeedUp(Site site, string folder) =>
        ["--listen", Invariant($"[::]:{SeedPort}"), "--advertise", Invariant($"{site.PublicAddress}:{SeedPort}"), "--state", Path.Combine(folder, "state")];

    /// <summary>The <c>key@host:port</c> that follows READY.</summary>
    public static string ContactOf(string readyLine) =>
        readyLine.Split(' ') is [_, var contact, ..] && contact.Contains('@', StringComparison.Ordinal)
            ? contact
            : throw new LabException($"a seed's ready line has no key@host:port: {readyLine}");

    /// <summary>A seed's contact with its IPv6 address instead: a seed says one address, a name of it would give both.</summary>
    public static string ByIPv6(string contact, Site seed) => Invariant($"{contact.Split('@')[0]}@[{seed.HostIPv6}]:{SeedPort}");

    public static IEnumerable<string> Init(string folder) => [.. Home(folder), "init", "--no-passphrase", "--json"];

    public static string TrustIdOf(string initOutput) => LastObject(initOutput).GetProperty("trustId").GetString()!;

    public static IEnumerable<string> Up(string folder, IEnumerable<string> seedContacts) =>
        [.. Home(folder), "up", .. seedContacts.SelectMany(contact => new[] { "--seed", contact }), "--allow", "all"];

    /// <summary>The command that takes files into <see cref="InboxOf"/>, run beside the daemon.</summary>
    public static IEnumerable<string> Receive(string folder) => [.. Home(folder), "receive", "--dir", InboxOf(folder), "--allow", "all"];

    public static IEnumerable<string> Send(string folder, string file, string trustId) => [.. Home(folder), "send", file, trustId, "--json"];

    public static SendReport SendReportOf(string output)
    {
        JsonElement report = LastObject(output);
        return new(
            report.GetProperty("sha256").GetString()!,
            report.GetProperty("path").GetString()!,
            report.GetProperty("firstByteMs").GetDouble(),
            report.TryGetProperty("directMs", out JsonElement direct) ? direct.GetDouble() : null,
            report.GetProperty("bytes").GetInt64());
    }

    public static IEnumerable<string> Ping(string folder, string trustId) => [.. Home(folder), "ping", trustId, "-c", "1", "--json"];

    public static PingReport PingReportOf(string output)
    {
        JsonElement report = LastObject(output);
        return new(report.GetProperty("path").GetString()!, report.GetProperty("rttMs").GetDouble());
    }

    /// <summary>Publishes a service for good, open to anybody.</summary>
    public static IEnumerable<string> Serve(string folder, string name, string target, bool udp = false) =>
        [.. Home(folder), "serve", name, target, "--allow", "any", "--keep", .. udp ? ["--udp"] : Array.Empty<string>()];

    public static IEnumerable<string> ServeFolder(string folder, string name, string directory) =>
        [.. Home(folder), "serve", name, "--http", directory, "--allow", "any", "--keep"];

    public static IEnumerable<string> Forward(string folder, int port, string trustId, string name, bool udp = false) =>
        [.. Home(folder), "forward", Invariant($"{port}"), $"{trustId}/{name}", "--keep", .. udp ? ["--udp"] : Array.Empty<string>()];

    public static IEnumerable<string> Socks(string folder, int port) => [.. Home(folder), "socks", "--port", Invariant($"{port}"), "--keep"];

    public static IEnumerable<string> Pipe(string folder, string trustId, string name) => [.. Home(folder), "pipe", trustId, name];

    public static string InboxOf(string folder) => Path.Combine(folder, "inbox");

    private static string[] Home(string folder) => ["--home", Path.Combine(folder, "home")];

    /// <summary>The last line that is a JSON object; progress may stand before it.</summary>
    private static JsonElement LastObject(string output)
    {
        string? line = output.Split('\n', StringSplitOptions.TrimEntries).LastOrDefault(l => l.StartsWith('{'));
        return line is null ? throw new JsonException("no JSON object was printed") : JsonSerializer.Deserialize<JsonElement>(line);
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
