using System.Net;
using System.Net.Sockets;
using Carrier.Lab.Network;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Probe;

/// <summary>Holds every NAT of a standing lab to its name, from the sockets of the hosts behind them.</summary>
internal static class NatVerifier
{
    public static ProbeServerPlace PlaceOf(Site seed, Families family = Families.IPv4) => family == Families.IPv6
        ? new(seed.HostIPv6, seed.OtherIPv6, ProbeServerPlace.DefaultPort)
        : new(seed.PublicAddress, seed.OtherPublicAddress, ProbeServerPlace.DefaultPort);

    public static ProbeServer StartServer(LabNetwork network, Site seed, Families family = Families.IPv4)
    {
        ProbeServerPlace place = PlaceOf(seed, family);
        var sockets = new Socket[2, 2];
        for (int i = 0; i < sockets.Length; i++)
        {
            IPEndPoint at = place.At(i / 2, i % 2);
            sockets[i / 2, i % 2] = NetworkNamespace.OpenUdp(network.HostOf(seed), at.Address, at.Port);
        }

        return new ProbeServer(sockets);
    }

    public static ProbeSocket OpenSocket(LabNetwork network, Site site, Families family = Families.IPv4) =>
        new(NetworkNamespace.OpenUdp(network.HostOf(site), HostAddressOf(site, family)));

    /// <summary>True when every site is as named, by each family it has. All sites are probed at once; one that carries no UDP must answer nothing.</summary>
    public static async Task<bool> VerifyAsync(LabNetwork network, Tally tally, CancellationToken cancellation) =>
        await VerifyAsync(network, Families.IPv4, tally, cancellation) & await VerifyAsync(network, Families.IPv6, tally, cancellation);

    private static async Task<bool> VerifyAsync(LabNetwork network, Families family, Tally tally, CancellationToken cancellation)
    {
        Site[] sites = [.. network.Topology.Sites.Where(site => site.Design.Families.HasFlag(family))];
        Site quiet = network.Topology.Seeds[0];
        Site baiting = network.Topology.Seeds[1];
        await using ProbeServer server = StartServer(network, quiet, family);
        await using ProbeServer baiter = StartServer(network, baiting, family);
        NatFinding?[] findings = await Task.WhenAll(sites.Select(site => FindAsync(network, site, family, PlaceOf(quiet, family), PlaceOf(baiting, family), cancellation)));
        bool asNamed = true;
        foreach ((Site site, NatFinding? finding) in sites.Zip(findings))
        {
            NatFinding? expected = site.Kind.CarriesUdp() ? NatFinding.ExpectedOf(site.Kind, family) : null;
            bool holds = finding == expected;
            asNamed &= holds;
            tally.Check(holds, $"{site.Name,-20} {family} {Text(finding)}{(holds ? "" : $"\n        expected {"",-17} {Text(expected)}")}");
        }

        return asNamed;
    }

    private static async Task<NatFinding?> FindAsync(
        LabNetwork network, Site site, Families family, ProbeServerPlace quiet, ProbeServerPlace baiting, CancellationToken cancellation)
    {
        using ProbeSocket socket = OpenSocket(network, site, family);
        using ProbeSocket other = OpenSocket(network, site, family);
        return site.Kind.CarriesUdp() ? await NatFinding.FindAsync(socket, other, HostAddressOf(site, family), quiet, baiting, cancellation)
            : await socket.AskAsync(quiet.At(0, 0), ReplyFrom.Same, cancellation) is { } seen ? throw new LabException($"{site} carries UDP, as {seen}")
            : null;
    }

    private static IPAddress HostAddressOf(Site site, Families family) => family == Families.IPv6 ? site.HostIPv6 : site.HostAddress;

    private static string Text(NatFinding? finding) => finding?.ToString() ?? "no UDP";
}
