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
        await MeasureRoundTripAsync(network, Families.IPv4, shape, tally, cancellation);
        await MeasureRoundTripAsync(network, Families.IPv6, shape, tally, cancellation);
        await MeasureThroughputAsync(network, shape, tally, cancellation);
        await PunchAsync(network, Families.IPv4, tally, cancellation);
        await PunchAsync(network, Families.IPv6, tally, cancellation);
    }

    /// <summary>Between two seeds, which have both families in every lab.</summary>
    private static async Task MeasureRoundTripAsync(LabNetwork network, Families family, LinkShape shape, Tally tally, CancellationToken cancellation)
    {
        Site seed = network.Topology.Seeds[0], other = network.Topology.Seeds[1];
        await using ProbeServer server = NatVerifier.StartServer(network, seed, family);
        using ProbeSocket socket = NatVerifier.OpenSocket(network, other, family);
        double[] times = await LinkMeter.RoundTripsAsync(socket, NatVerifier.PlaceOf(seed, family).At(0, 0), count: 50, cancellation);
        double wanted = shape.Delay.TotalMilliseconds * 2;
        double middle = times.Length == 0 ? double.NaN : times[times.Length / 2];
        // Jitter and rate lengthen it on purpose; a plain link may add only what waking processes costs.
        double allowance = (shape.Jitter.TotalMilliseconds * 2) + 5;
        double late = times.Length == 0 ? double.NaN : times[times.Length * 9 / 10];
        tally.Check(middle >= wanted && middle <= wanted + allowance,
            $"round trip by {family} p50 {middle:F2} ms, p90 {late:F2} ms (wanted {wanted:F0} to {wanted + allowance:F0})");
    }

    private static async Task MeasureThroughputAsync(LabNetwork network, LinkShape shape, Tally tally, CancellationToken cancellation)
    {
        if (shape.RateBitsPerSecond > 0 || shape.LossFraction > 0)
        {
            tally.Skip("throughput of the link", "measured only on an unshaped link: leave out --rate-mbit and --loss-percent");
            return;
        }

        Site a = network.Topology.Find("public-a"), b = network.Topology.Find("public-b");
        using Socket from = NetworkNamespace.OpenUdp(network.HostOf(a), a.HostAddress);
        using Socket to = NetworkNamespace.OpenUdp(network.HostOf(b), b.HostAddress);
        await from.ConnectAsync(to.LocalEndPoint!, cancellation);
        await to.ConnectAsync(from.LocalEndPoint!, cancellation);
        Throughput flood = await LinkMeter.FloodAsync(from, to, WantedMegabits * 1.5, TimeSpan.FromSeconds(2));
        tally.Check(flood.ReceivedMegabits >= WantedMegabits && flood.OutOfOrder == 0 && flood.LossFraction < 0.01,
            $"delay line carried {flood.ReceivedMegabits:F0} Mbit/s of {flood.SentMegabits:F0} (wanted {WantedMegabits:F0}), "
            + $"lost {flood.LossFraction:P2}, {flood.OutOfOrder} out of order");
    }

    /// <summary>Every ordered pair that shares a family, one after another: what must open opens, and what NATs forbid stays shut.</summary>
    private static async Task PunchAsync(LabNetwork network, Families family, Tally tally, CancellationToken cancellation)
    {
        Site seed = network.Topology.Seeds[1];
        await using ProbeServer server = NatVerifier.StartServer(network, seed, family);
        IPEndPoint rendezvous = NatVerifier.PlaceOf(seed, family).At(0, 0);
        foreach ((Site from, Site to) in network.Topology.Pairs.Where(pair => CanProbe(pair.From, family) && CanProbe(pair.To, family)))
        {
            using ProbeSocket one = NatVerifier.OpenSocket(network, from, family);
            using ProbeSocket other = NatVerifier.OpenSocket(network, to, family);
            string room = $"{from.Name}/{to.Name}";
            TimeSpan?[] times = await Task.WhenAll(
                HolePunch.TryAsync(one, rendezvous, room, from.Name, PunchDeadline, cancellation),
                HolePunch.TryAsync(other, rendezvous, room, to.Name, PunchDeadline, cancellation));
            bool opened = times.All(t => t is not null);
            string outcome = opened ? $"opened in {times.Max()!.Value.TotalMilliseconds:F0} ms" : "stayed shut";
            bool? expected = family == Families.IPv6 ? true : CanPunch(from, to);
            string wish = expected is null || opened == expected ? "" : $" (expected it to {(expected.Value ? "open" : "stay shut")})";
            tally.Check(expected is null || opened == expected, $"plain punch by {family} {from.Name} -> {to.Name}: {outcome}{wish}");
        }
    }

    private static bool CanProbe(Site site, Families family) => site.Kind.CarriesUdp() && site.Design.Families.HasFlag(family);

    /// <summary>By IPv4: without port prediction a symmetric NAT is reached only from where its unknown port does not matter: an end that filters nothing
    /// (or only addresses, once the other end is not symmetric itself). Insiders of one NAT need its hairpin.</summary>
    private static bool? CanPunch(Site a, Site b)
    {
        bool isSymmetric = a.Kind.IsSymmetric() || b.Kind.IsSymmetric();
        bool isPortShift = a.Kind == SiteKind.PortShift || b.Kind == SiteKind.PortShift;
        return a.PublicAddress.Equals(b.PublicAddress) ? NatFinding.ExpectedOf(a.Kind, Families.IPv4).Hairpins
            : isSymmetric ? IsOpen(a, b) || IsOpen(b, a)
            : isPortShift ? null // who sends first decides: a plain punch may or may not work
            : true;
    }

    private static bool IsOpen(Site end, Site other) => NatFinding.ExpectedOf(end.Kind, Families.IPv4).Filtering switch
    {
        Dependence.EndpointIndependent => true,
        Dependence.AddressDependent => !end.Kind.IsSymmetric() && other.Kind.IsSymmetric(),
        _ => false,
    };
}
