using Carrier.Lab.Matrix;
using Carrier.Lab.Network;

namespace Carrier.Lab.Beside;

/// <summary>HyperDHT's processes in a standing lab: bootstrap nodes with relays on the seeds' hosts for as long as it lives, and two new ones for every dial.</summary>
internal sealed class HyperDhtFleet : IAsyncDisposable
{
    /// <summary>How long a dial may take to its first byte, and then to a direct path.</summary>
    private static readonly TimeSpan DialLimit = TimeSpan.FromSeconds(15);

    /// <summary>As <see cref="DialLimit"/> where both ends are symmetric: it does not try there (<c>HOLEPUNCH_DOUBLE_RANDOMIZED_NATS</c>).</summary>
    private static readonly TimeSpan HopelessLimit = TimeSpan.FromSeconds(3);

    /// <summary>Sent to and fro once the path is settled, more than all the probes that look for it.</summary>
    private const int SettledBytes = 256 << 10;

    private readonly LabNetwork _network;
    private readonly string _script;
    private readonly string _folder;
    private readonly bool _mayRelay;
    private readonly List<HyperDhtNode> _seeds = [];
    private readonly HashSet<string> _seedAddresses;

    private HyperDhtFleet(LabNetwork network, string script, string folder, bool mayRelay)
    {
        (_network, _script, _folder, _mayRelay) = (network, script, folder, mayRelay);
        _seedAddresses = [.. network.Topology.Seeds.Select(seed => seed.PublicAddress.ToString())];
    }

    /// <param name="mayRelay">Dials name the seeds' relays. HyperDHT has none of its own accord; without one, what it cannot punch it does not connect.</param>
    public static async Task<HyperDhtFleet> StartAsync(LabNetwork network, string script, string folder, bool mayRelay, CancellationToken cancellation)
    {
        var fleet = new HyperDhtFleet(network, script, folder, mayRelay);
        try
        {
            Site? first = null;
            foreach (Site seed in network.Topology.Seeds)
            {
                fleet._seeds.Add(await HyperDhtNode.StartSeedAsync(network, script, seed, first, folder, cancellation));
                first ??= seed;
            }

            return fleet;
        }
        catch
        {
            await fleet.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Two new processes. It allows a device one random punch in 20 s, so a process that dialled before would be refused what a new one is not.
    /// </summary>
    public async Task<HyperDhtPair> FreshPairAsync(Site from, Site to, CancellationToken cancellation)
    {
        HyperDhtNode[] nodes = await Task.WhenAll(FreshAsync(from, cancellation), FreshAsync(to, cancellation));
        return new HyperDhtPair(nodes[0], nodes[1]);
    }

    /// <summary>A new process with a new key.</summary>
    public Task<HyperDhtNode> FreshAsync(Site site, CancellationToken cancellation) =>
        HyperDhtNode.StartSiteAsync(_network, _script, site, _mayRelay ? _seeds.Select(seed => seed.Key) : [], _folder, cancellation);

    /// <summary>One dial between new processes.</summary>
    public async Task<Dial> DialAsync(Site from, Site to, int round, FlowCounters flows, CancellationToken cancellation)
    {
        await using HyperDhtPair pair = await FreshPairAsync(from, to, cancellation);
        await flows.ResetAsync(cancellation);
        return await DialAsync(pair, round, flows, cancellation);
    }

    /// <summary>One dial, as both it and the core saw it since the counters were reset.</summary>
    public async Task<Dial> DialAsync(HyperDhtPair pair, int round, FlowCounters flows, CancellationToken cancellation)
    {
        (Site from, Site to) = (pair.Dialler.Site, pair.Dialled.Site);
        TimeSpan direct = from.Kind.IsSymmetric() && to.Kind.IsSymmetric() ? HopelessLimit : DialLimit;
        DialReport report = await pair.Dialler.DialAsync(pair.Dialled.Key, DialLimit, direct, SettledBytes, cancellation);
        double share = Trial.DirectShareOf(await flows.SentByAsync(from, cancellation), from, to, SettledBytes);
        bool isDirect = report.Host is { } host && !_seedAddresses.Contains(host) && share >= Trial.DirectShareNeeded;
        return new Dial(from.Name, to.Name, round, report.FirstByteMs, isDirect, report.DirectMs, report.Error ?? "");
    }

    public async ValueTask DisposeAsync() => await Task.WhenAll(_seeds.Select(seed => seed.DisposeAsync().AsTask()));
}

/// <summary>Who dials and who is dialled.</summary>
internal sealed record HyperDhtPair(HyperDhtNode Dialler, HyperDhtNode Dialled) : IAsyncDisposable
{
    public async ValueTask DisposeAsync()
    {
        await Dialler.DisposeAsync();
        await Dialled.DisposeAsync();
    }
}
