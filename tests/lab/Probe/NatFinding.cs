using System.Net;
using Carrier.Lab.Network;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Probe;

/// <summary>How far a NAT's mapping or filtering looks at the other end (RFC 4787 §4.1, §5).</summary>
internal enum Dependence
{
    EndpointIndependent,
    AddressDependent,
    AddressAndPortDependent,
}

/// <summary>How the outer ports of flows to different destinations follow each other.</summary>
internal enum PortPattern
{
    /// <summary>The socket's own.</summary>
    Kept,

    /// <summary>One for all destinations, not the socket's own.</summary>
    One,

    /// <summary>Each the one before plus one.</summary>
    Sequential,

    /// <summary>Different, all within one small block.</summary>
    Block,
    Random,
}

/// <summary>What a host found out about the NAT in front of it, in RFC 5780's way: two servers with four sockets each, one socket of its own.</summary>
/// <param name="Shifts">Whether an unsolicited packet changes the port of our own next packet to its sender.</param>
/// <param name="Hairpins">Whether two sockets of the host meet by their outer address.</param>
internal sealed record NatFinding(bool Translated, PortPattern Ports, Dependence Mapping, Dependence Filtering, bool Shifts, bool Hairpins)
{
    /// <param name="socket">Asks everything.</param>
    /// <param name="other">A second socket of the host, for hairpinning.</param>
    /// <param name="local">The host's own address.</param>
    /// <param name="quiet">A server that sends only what it was asked for: mapping is found there.</param>
    /// <param name="baiting">A server that also sends what was not: filtering is found there, and the port shift that this baits.</param>
    public static async Task<NatFinding> FindAsync(
        ProbeSocket socket, ProbeSocket other, IPAddress local, ProbeServerPlace quiet, ProbeServerPlace baiting, CancellationToken cancellation)
    {
        IPEndPoint first = await MustAskAsync(socket, quiet.At(0, 0), cancellation);
        IPEndPoint otherPort = await MustAskAsync(socket, quiet.At(0, 1), cancellation);
        IPEndPoint otherAddress = await MustAskAsync(socket, quiet.At(1, 0), cancellation);
        IPEndPoint both = await MustAskAsync(socket, quiet.At(1, 1), cancellation);

        // Filtering comes before the baiting server's other sockets were sent anything.
        IPEndPoint baited = await MustAskAsync(socket, baiting.At(0, 0), cancellation);
        bool strangerHeard = await socket.AskAsync(baiting.At(0, 0), ReplyFrom.OtherAddressAndPort, cancellation) is not null;
        bool otherPortHeard = await socket.AskAsync(baiting.At(0, 0), ReplyFrom.OtherPort, cancellation) is not null;
        IPEndPoint afterBait = await MustAskAsync(socket, baiting.At(0, 1), cancellation);
        var mapping = !first.Equals(otherPort) ? Dependence.AddressAndPortDependent
            : first.Equals(otherAddress) && first.Equals(both) ? Dependence.EndpointIndependent
            : Dependence.AddressDependent;
        IPEndPoint outer = await MustAskAsync(other, quiet.At(0, 0), cancellation);
        return new NatFinding(
            Translated: !first.Address.Equals(local),
            Ports: PatternOf(socket.LocalPort, [first.Port, otherPort.Port, otherAddress.Port, both.Port]),
            mapping,
            Filtering: strangerHeard ? Dependence.EndpointIndependent
                : otherPortHeard ? Dependence.AddressDependent
                : Dependence.AddressAndPortDependent,
            Shifts: mapping == Dependence.EndpointIndependent && !baited.Equals(afterBait),
            Hairpins: !first.Address.Equals(local) && await MeetAsync(socket, first, other, outer, cancellation));
    }

    /// <summary>What a kind must be to deserve its name.</summary>
    public static NatFinding ExpectedOf(SiteKind kind, Families family)
    {
        const Dependence none = Dependence.EndpointIndependent;
        const Dependence port = Dependence.AddressAndPortDependent;
        if (family == Families.IPv6)
        {
            return new(false, PortPattern.Kept, none, port, false, false); // every home with IPv6 has a firewall, and no translation
        }

        return kind switch
        {
            SiteKind.Public or SiteKind.Seed => new(false, PortPattern.Kept, none, none, false, false),
            SiteKind.Firewalled => new(false, PortPattern.Kept, none, port, false, false),
            SiteKind.FullCone => new(true, PortPattern.Kept, none, none, false, false),
            SiteKind.AddressRestricted => new(true, PortPattern.Kept, none, Dependence.AddressDependent, false, false),
            SiteKind.PortRestricted or SiteKind.SameHome or SiteKind.IsolatedHome => new(true, PortPattern.Kept, none, port, false, false),
            SiteKind.PortShift => new(true, PortPattern.Kept, none, port, true, false),
            SiteKind.RandomCone => new(true, PortPattern.One, none, none, false, false),
            SiteKind.RandomRestricted => new(true, PortPattern.One, none, port, false, false),
            SiteKind.Hairpin or SiteKind.DoubleNat or SiteKind.SameCarrier => new(true, PortPattern.One, none, port, false, true),
            SiteKind.Symmetric or SiteKind.CarrierSymmetric or SiteKind.SymmetricV6 => new(true, PortPattern.Random, port, port, false, false),
            SiteKind.Sequential => new(true, PortPattern.Sequential, port, port, false, false),
            SiteKind.PortBlock => new(true, PortPattern.Block, port, port, false, false),
            _ => throw new ArgumentOutOfRangeException(nameof(kind)),
        };
    }

    public override string ToString() =>
        $"{(Translated ? "translated" : "own address"),-11}  mapping {Name(Mapping),-26}  port {Ports.ToString().ToLowerInvariant(),-10}  filtering {Name(Filtering)}"
        + $"{(Shifts ? ", shifts" : "")}{(Hairpins ? ", hairpins" : "")}";

    private static PortPattern PatternOf(int local, int[] ports)
    {
        if (ports.All(port => port == ports[0]))
        {
            return ports[0] == local ? PortPattern.Kept : PortPattern.One;
        }

        bool isSequential = ports.Zip(ports.Skip(1)).All(pair => pair.Second - pair.First is 1 or < -60_000); // once it wraps around
        bool isBlock = ports.Max() - ports.Min() < Translation.TranslatorShape.BlockPorts;
        return isSequential ? PortPattern.Sequential : isBlock ? PortPattern.Block : PortPattern.Random;
    }

    private static async Task<bool> MeetAsync(ProbeSocket one, IPEndPoint oneSeen, ProbeSocket other, IPEndPoint otherSeen, CancellationToken cancellation)
    {
        await one.SendAsync("hello", otherSeen, cancellation); // opens the way back
        await other.SendAsync("hello", oneSeen, cancellation);
        return await one.ReceiveAsync(ProbeSocket.Patience, cancellation) is { Text: "hello" };
    }

    private static async Task<IPEndPoint> MustAskAsync(ProbeSocket socket, IPEndPoint server, CancellationToken cancellation) =>
        await socket.AskAsync(server, ReplyFrom.Same, cancellation) ?? throw new LabException($"no answer from the probe server at {server}");

    private static string Name(Dependence dependence) => dependence switch
    {
        Dependence.EndpointIndependent => "endpoint-independent",
        Dependence.AddressDependent => "address-dependent",
        _ => "address-and-port-dependent",
    };
}

/// <summary>Where a probe server's four sockets are.</summary>
internal sealed record ProbeServerPlace(IPAddress Address, IPAddress OtherAddress, int Port)
{
    public const int DefaultPort = 3478;

    /// <summary>The socket at the first (0) or other (1) address, at the first (0) or next (1) port.</summary>
    public IPEndPoint At(int address, int port) => new(address == 0 ? Address : OtherAddress, Port + port);
}
