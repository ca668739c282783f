using System.Net;
using System.Net.Sockets;
using Carrier.Lab.Network;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Probe;

/// <summary>Holds every NAT of a standing lab to its name, from the sockets of the hosts behind them.</summary>
internal static class NatVerifier
{
    public static ProbeServerPlace PlaceOf(Site seed) => new(seed.PublicAddress, seed.OtherPublicAddress, ProbeServerPlace.DefaultPort);

    public static ProbeServer StartServer(LabNetwork network, Site seed)
    {
        ProbeServerPlace place = PlaceOf(seed);
        var sockets = new Socket[2, 2];
        for (int i = 0; i < sockets.Length; i++)
        {
            IPEndPoint at = place.At(i / 2, i % 2);
            sockets[i / 2, i % 2] = NetworkNamespace.OpenUdp(network.HostOf(seed), at.Address, at.Port);
        }

        return new ProbeServer(sockets);
    }

    public static ProbeSocket OpenSocket(LabNetwork network, Site site) => new(NetworkNamespace.OpenUdp(network.HostOf(site), site.HostAddress));

    /// <summary>True when every site is as named. All sites are probed at once; one that carries no UDP must answer nothing.</summary>
    public static async Task<bool> VerifyAsync(LabNetwork network, Tally tally, CancellationToken cancellation)
    {
        Site quiet = network.Topology.Seeds[0];
        Site baiting = network.Topology.Seeds[1];
        await using ProbeServer server = StartServer(network, quiet);
        await using ProbeServer baiter = StartServer(network, baiting);
        NatFinding?[] findings = await Task.WhenAll(network.Topology.Sites.Select(site => FindAsync(network, site, quiet, baiting, cancellation)));
        bool asNamed = true;
        foreach ((Site site, NatFinding? finding) in network.Topology.Sites.Zip(findings))
        {
            NatFinding? expected = site.Kind.CarriesUdp() ? NatFinding.ExpectedOf(site.Kind) : null;
            bool holds = finding == expected;
            asNamed &= holds;
            tally.Check(holds, $"{site.Name,-20} {Text(finding)}{(holds ? "" : $"\n        expected {"",-12} {Text(expected)}")}");
        }

        return asNamed;
    }

    private static async Task<NatFinding?> FindAsync(LabNetwork network, Site site, Site quiet, Site baiting, CancellationToken cancellation)
    {
        using ProbeSocket socket = OpenSocket(network, site);
        using ProbeSocket other = OpenSocket(network, site);
        return site.Kind.CarriesUdp() ? await NatFinding.FindAsync(socket, other, site.HostAddress, PlaceOf(quiet), PlaceOf(baiting), cancellation)
            : await socket.AskAsync(PlaceOf(quiet).At(0, 0), ReplyFrom.Same, cancellation) is { } seen ? throw new LabException($"{site} carries UDP, as {seen}")
            : null;
    }

    private static string Text(NatFinding? finding) => finding?.ToString() ?? "no UDP";
}
