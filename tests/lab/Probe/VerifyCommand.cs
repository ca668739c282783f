using System.Net;
using System.Net.Sockets;
using Carrier.Lab.Network;

namespace Carrier.Lab.Probe;

/// <summary><c>carrier-lab verify</c>: is the lab what it says? NATs, link, and which pairs a plain hole punch can join.</summary>
internal static class VerifyCommand
{
    private const double WantedMegabits = 100;

    private static readonly TimeSpan PunchDeadline = TimeSpan.FromSeconds(1.5);

    public static async Task RunAsync(LabNetwork network, LinkShape shape, Tally tally, CancellationToken cancellation)
    {
        await NatVerifier.VerifyAsync(network, tally, cancellation);
        await MeasureLinkAsync(network, shape, tally, cancellation);
        await PunchAsync(network, tally, cancellation);
    }

    private static async Task MeasureLinkAsync(LabNetwork network, LinkShape shape, Tally tally, CancellationToken cancellation)
    {
        Site a = network.Topology.Find("public-a");
        Site b = network.Topology.Find("public-b");
        Site seed = network.Topology.Seeds[0];
        await using (NatVerifier.StartServer(network, seed))
        {
            using ProbeSocket socket = NatVerifier.OpenSocket(network, a);
            double[] times = await LinkMeter.RoundTripsAsync(socket, NatVerifier.PlaceOf(seed).At(0, 0), count: 50, cancellation);
            double wanted = shape.Delay.TotalMilliseconds * 2;
            double middle = times.Length == 0 ? double.NaN : times[times.Length / 2];
            // Jitter and rate lengthen it on purpose; a plain link may add only what waking processes costs.
            double allowance = (shape.Jitter.TotalMilliseconds * 2) + 5;
            double late = times.Length == 0 ? double.NaN : times[times.Length * 9 / 10];
            tally.Check(middle >= wanted && middle <= wanted + allowance,
                $"round trip p50 {middle:F2} ms, p90 {late:F2} ms (wanted {wanted:F0} to {wanted + allowance:F0})");
        }

        if (shape.RateBitsPerSecond > 0 || shape.LossFraction > 0)
        {
            tally.Skip("throughput of the link", "measured only on an unshaped link: leave out --rate-mbit and --loss-percent");
            return;
        }

        using Socket from = NetworkNamespace.OpenUdp(network.HostOf(a), a.HostAddress);
        using Socket to = NetworkNamespace.OpenUdp(network.HostOf(b), b.HostAddress);
        await from.ConnectAsync(to.LocalEndPoint!, cancellation);
        await to.ConnectAsync(from.LocalEndPoint!, cancellation);
        Throughput flood = await LinkMeter.FloodAsync(from, to, WantedMegabits * 1.5, TimeSpan.FromSeconds(2));
        tally.Check(flood.ReceivedMegabits >= WantedMegabits && flood.OutOfOrder == 0 && flood.LossFraction < 0.01,
            $"delay line carried {flood.ReceivedMegabits:F0} Mbit/s of {flood.SentMegabits:F0} (wanted {WantedMegabits:F0}), "
            + $"lost {flood.LossFraction:P2}, {flood.OutOfOrder} out of order");
    }

    /// <summary>Every ordered pair, one after another: what must open opens, and what NATs forbid stays shut.</summary>
    private static async Task PunchAsync(LabNetwork network, Tally tally, CancellationToken cancellation)
    {
        Site seed = network.Topology.Seeds[1];
        await using ProbeServer server = NatVerifier.StartServer(network, seed);
        IPEndPoint rendezvous = NatVerifier.PlaceOf(seed).At(0, 0);
        foreach ((Site from, Site to) in network.Topology.Pairs.Where(pair => pair.From.Kind.CarriesUdp() && pair.To.Kind.CarriesUdp()))
        {
            using ProbeSocket one = NatVerifier.OpenSocket(network, from);
            using ProbeSocket other = NatVerifier.OpenSocket(network, to);
            string room = $"{from.Name}/{to.Name}";
            TimeSpan?[] times = await Task.WhenAll(
                HolePunch.TryAsync(one, rendezvous, room, from.Name, PunchDeadline, cancellation),
                HolePunch.TryAsync(other, rendezvous, room, to.Name, PunchDeadline, cancellation));
            bool opened = times.All(t => t is not null);
            string outcome = opened ? $"opened in {times.Max()!.Value.TotalMilliseconds:F0} ms" : "stayed shut";
            bool? expected = CanPunch(from, to);
            string wish = expected is null || opened == expected ? "" : $" (expected it to {(expected.Value ? "open" : "stay shut")})";
            tally.Check(expected is null || opened == expected, $"plain punch {from.Name} -> {to.Name}: {outcome}{wish}");
        }
    }

    /// <summary>Without port prediction a symmetric NAT is reached only from where its unknown port does not matter: an end that filters nothing
    /// (or only addresses, once the other end is not symmetric itself). Insiders of one NAT need its hairpin.</summary>
    private static bool? CanPunch(Site a, Site b)
    {
        bool isSymmetric = a.Kind.IsSymmetric() || b.Kind.IsSymmetric();
        bool isPortShift = a.Kind == SiteKind.PortShift || b.Kind == SiteKind.PortShift;
        return a.PublicAddress.Equals(b.PublicAddress) ? NatFinding.ExpectedOf(a.Kind).Hairpins
            : isSymmetric ? IsOpen(a, b) || IsOpen(b, a)
            : isPortShift ? null // who sends first decides: a plain punch may or may not work
            : true;
    }

    private static bool IsOpen(Site end, Site other) => NatFinding.ExpectedOf(end.Kind).Filtering switch
    {
        Dependence.EndpointIndependent => true,
        Dependence.AddressDependent => !end.Kind.IsSymmetric() && other.Kind.IsSymmetric(),
        _ => false,
    };
}
