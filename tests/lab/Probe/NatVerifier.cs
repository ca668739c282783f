using System.Net;
using System.Net.Sockets;
using Carrier.Lab.Network;

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

    /// <summary>True when every site is as named. All sites are probed at once.</summary>
    public static async Task<bool> VerifyAsync(LabNetwork network, Tally tally, CancellationToken cancellation)
    {
        Site seed = network.Topology.Seeds[0];
        await using ProbeServer server = StartServer(network, seed);
        NatFinding[] findings = await Task.WhenAll(network.Topology.Sites.Select(async site =>
        {
            using ProbeSocket socket = OpenSocket(network, site);
            return await NatFinding.FindAsync(socket, site.HostAddress, PlaceOf(seed), cancellation);
        }));
        bool asNamed = true;
        foreach ((Site site, NatFinding finding) in network.Topology.Sites.Zip(findings))
        {
            var expected = NatFinding.ExpectedOf(site.Kind);
            bool holds = finding == expected;
            asNamed &= holds;
            tally.Check(holds, $"{site.Name,-18} {finding}{(holds ? "" : $"\n        expected {"",-10} {expected}")}");
        }

        return asNamed;
    }
}
