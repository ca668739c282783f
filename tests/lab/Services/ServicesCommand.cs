using Carrier.Lab.Matrix;
using Carrier.Lab.Network;

namespace Carrier.Lab.Services;

/// <summary><c>carrier-lab services</c>: the field's everyday programs through carrier, between hosts behind NATs, and on one host against plain TCP.</summary>
internal sealed class ServicesCommand(Arguments arguments, CarrierCommands commands)
{
    private const int DefaultBytes = 32 << 20;

    /// <summary>What a relay's budget lets through in a few seconds.</summary>
    private const int RelayedBytes = 8 << 20;

    private const int CompareRounds = 3;

    /// <summary>Loopback is quick: a copy must be large enough that ssh's own beginning does not count.</summary>
    private const int CompareBytes = 128 << 20;

    private readonly long _bytes = (long)arguments.Number("--bytes", DefaultBytes);

    /// <summary>What is not installed, and how to get it; empty when all is there.</summary>
    public static string Missing => string.Join("; ", FieldTools.Needed.Where(each => FieldTools.Find(each.Key) is null)
        .Select(each => $"no {each.Key}: apt-get install {each.Value}"));

    public async Task RunAsync(LabNetwork network, LinkShape shape, Tally tally, CancellationToken cancellation)
    {
        string artifacts = Directory.CreateDirectory(Path.GetFullPath(Path.Combine(arguments.Text("--artifacts") ?? "artifacts/lab", network.Prefix))).FullName;
        Tally.Say($"{commands.Carrier} and {commands.Seed}; {artifacts}");
        await using (Fleet seeds = await Fleet.StartAsync(network, commands, [], artifacts, cancellation))
        {
            await PairAsync(network, seeds, "port-restricted-a", "port-restricted-b", artifacts, tally, pair =>
                EverythingAsync(pair, _bytes, cancellation), cancellation);
            await PairAsync(network, seeds, "port-restricted-a", "symmetric-b", artifacts, tally, pair =>
                EverythingAsync(pair, Math.Min(_bytes, RelayedBytes), cancellation), cancellation);
            await PairAsync(network, seeds, "public-a", "public-a", artifacts, tally, pair =>
                pair.CompareScpAsync(CompareBytes, CompareRounds, cancellation), cancellation);
        }

        if (tally.ExitCode == Tally.ExitPassed && !arguments.Has("--keep"))
        {
            Directory.Delete(artifacts, recursive: true);
        }
    }

    private static async Task EverythingAsync(ServicePair pair, long bytes, CancellationToken cancellation)
    {
        await pair.OpenAsync(cancellation);
        await pair.SshAsync(cancellation);
        await pair.WebAsync(cancellation);
        await pair.IperfAsync(cancellation);
        await pair.ScpAsync(bytes, cancellation);
    }

    /// <summary>Brings both agents and the servers up, runs the checks, takes all down again.</summary>
    private async Task PairAsync(
        LabNetwork network,
        Fleet seeds,
        string fromSite,
        string toSite,
        string artifacts,
        Tally tally,
        Func<ServicePair, Task> check,
        CancellationToken cancellation)
    {
        if (network.Topology.Sites.All(site => site.Name != fromSite) || network.Topology.Sites.All(site => site.Name != toSite))
        {
            return; // its NAT kind was reported as skipped
        }

        string folder = Path.Combine(artifacts, $"{fromSite}-{toSite}");
        Site there = network.Topology.Find(toSite);
        await using SiteNode from = await SiteNode.CreateAsync(network, commands, network.Topology.Find(fromSite), Path.Combine(folder, "from"), cancellation);
        await using SiteNode to = await SiteNode.CreateAsync(network, commands, there, Path.Combine(folder, "to"), cancellation);
        await using FieldTools tools = await FieldTools.StartAsync(network.HostOf(there), Path.Combine(folder, "tools"), cancellation);
        await Task.WhenAll(from.UpAsync(seeds.SeedContacts, cancellation), to.UpAsync(seeds.SeedContacts, cancellation));
        var pair = new ServicePair(network, commands, from, to, tools, tally);
        await pair.OpenSshAsync(cancellation);
        await check(pair);
    }
}
