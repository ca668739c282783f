using System.Globalization;
using System.Text.Json;
using Carrier.Lab.Network;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Beside;

/// <summary>What <c>peer.mjs</c> says of a dial: either an error, or when the first byte of an answer came, from where the stream now comes, and since when directly.</summary>
internal sealed record DialReport(double? FirstByteMs = null, string? Host = null, double? DirectMs = null, string? Error = null);

/// <summary>What <c>peer.mjs</c> says of an echo over the stream of the last dial.</summary>
internal sealed record EchoReport(double? Ms = null, string? Error = null);

/// <summary>One process of HyperDHT's at a site: a node with a new key that echoes, and dials when told. Every command line of <c>peer.mjs</c> and every line it answers is here.</summary>
internal sealed class HyperDhtNode : IAsyncDisposable
{
    public const int SeedPort = 49737;

    /// <summary>Serving nodes on a seed's host. Some twenty in all: the k of its tables, and enough to sample a NAT by.</summary>
    private const int NodesPerSeed = 8;

    private static readonly TimeSpan StartDeadline = TimeSpan.FromSeconds(30);

    /// <summary>For what an answer takes beyond the limits that the question names.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    private readonly LabProcess _process;

    private HyperDhtNode(LabProcess process, Site site, string key)
    {
        _process = process;
        Site = site;
        Key = key;
    }

    public Site Site { get; }

    /// <summary>The public key it listens on, in hexadecimal digits; a seed's is its relay's.</summary>
    public string Key { get; }

    /// <summary>Starts serving nodes and a blind relay on a public host.</summary>
    /// <param name="bootstrap">A seed that runs already; null for the first.</param>
    public static Task<HyperDhtNode> StartSeedAsync(LabNetwork network, string script, Site site, Site? bootstrap, string folder, CancellationToken cancellation) =>
        StartAsync(network, site, [script, "seed", $"{site.PublicAddress}", $"{NodesPerSeed}", .. bootstrap is null ? Array.Empty<string>() : [Contact(bootstrap)]], folder, cancellation);

    /// <summary>Starts an ordinary node and waits until it is bootstrapped and announced.</summary>
    /// <param name="relays">The keys of the relays it may dial through; none, and it has direct paths alone.</param>
    public static Task<HyperDhtNode> StartSiteAsync(
        LabNetwork network, string script, Site site, IEnumerable<string> relays, string folder, CancellationToken cancellation) =>
        StartAsync(network, site, [script, "site", string.Join(',', network.Topology.Seeds.Select(Contact)), string.Join(',', relays)], folder, cancellation);

    /// <summary>Dials by public key, and sends so many bytes to and fro once the path is direct or will not be.</summary>
    public async Task<DialReport> DialAsync(string key, TimeSpan firstByte, TimeSpan direct, int bytes, CancellationToken cancellation)
    {
        string question = string.Create(CultureInfo.InvariantCulture, $"dial {key} {firstByte.TotalMilliseconds:F0} {direct.TotalMilliseconds:F0} {bytes}");
        return await AskAsync<DialReport>(question, "DIALLED", firstByte + firstByte + direct, cancellation);
    }

    /// <summary>Sends a byte over the stream of the last dial and waits until it came back.</summary>
    public Task<EchoReport> EchoAsync(TimeSpan limit, CancellationToken cancellation) =>
        AskAsync<EchoReport>(string.Create(CultureInfo.InvariantCulture, $"echo {limit.TotalMilliseconds:F0}"), "ECHOED", limit, cancellation);

    public ValueTask DisposeAsync() => _process.DisposeAsync();

    private static async Task<HyperDhtNode> StartAsync(LabNetwork network, Site site, IEnumerable<string> arguments, string folder, CancellationToken cancellation)
    {
        var process = LabProcess.Start(network.HostOf(site), "node", arguments, Path.Combine(folder, $"hyperdht-{site}.txt"));
        try
        {
            return new HyperDhtNode(process, site, (await process.WaitForLineAsync("READY", StartDeadline, cancellation)).Split(' ')[1]);
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    private static string Contact(Site seed) => string.Create(CultureInfo.InvariantCulture, $"{seed.PublicAddress}:{SeedPort}");

    private async Task<T> AskAsync<T>(string question, string answer, TimeSpan limit, CancellationToken cancellation)
    {
        await _process.WriteLineAsync(question);
        string line = await _process.WaitForLineAsync(answer, limit + Grace, cancellation);
        return JsonSerializer.Deserialize<T>(line[answer.Length..], JsonSerializerOptions.Web)
            ?? throw new LabException($"peer.mjs answered {line}");
    }
}
