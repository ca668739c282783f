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

/// <summary>What a host found out about the NAT in front of it, in RFC 5780's way: four server sockets, one socket of its own.</summary>
internal sealed record NatFinding(bool Translated, bool PortPreserved, Dependence Mapping, Dependence Filtering)
{
    public static async Task<NatFinding> FindAsync(ProbeSocket socket, IPAddress local, ProbeServerPlace server, CancellationToken cancellation)
    {
        IPEndPoint first = await MustAskAsync(socket, server.At(0, 0), cancellation);

        // Filtering comes before the other servers were sent anything. These unsolicited packets also bait the port shift: a NAT that let
        // them leave conntrack entries would give the packets below, to the same servers, another outer port.
        bool strangerHeard = await socket.AskAsync(server.At(0, 0), ReplyFrom.OtherAddressAndPort, cancellation) is not null;
        bool otherPortHeard = await socket.AskAsync(server.At(0, 0), ReplyFrom.OtherPort, cancellation) is not null;

        IPEndPoint otherPort = await MustAskAsync(socket, server.At(0, 1), cancellation);
        IPEndPoint otherAddress = await MustAskAsync(socket, server.At(1, 0), cancellation);
        IPEndPoint both = await MustAskAsync(socket, server.At(1, 1), cancellation);
        return new NatFinding(
            Translated: !first.Address.Equals(local),
            PortPreserved: first.Port == socket.LocalPort,
            Mapping: !first.Equals(otherPort) ? Dependence.AddressAndPortDependent
                : first.Equals(otherAddress) && first.Equals(both) ? Dependence.EndpointIndependent
                : Dependence.AddressDependent,
            Filtering: strangerHeard ? Dependence.EndpointIndependent
                : otherPortHeard ? Dependence.AddressDependent
                : Dependence.AddressAndPortDependent);
    }

    /// <summary>What a kind must be to deserve its name.</summary>
    public static NatFinding ExpectedOf(SiteKind kind) => kind switch
    {
        SiteKind.Public or SiteKind.Seed => new(false, true, Dependence.EndpointIndependent, Dependence.EndpointIndependent),
        SiteKind.FullCone => new(true, true, Dependence.EndpointIndependent, Dependence.EndpointIndependent),
        SiteKind.PortRestricted => new(true, true, Dependence.EndpointIndependent, Dependence.AddressAndPortDependent),
        SiteKind.Symmetric => new(true, false, Dependence.AddressAndPortDependent, Dependence.AddressAndPortDependent),
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    public override string ToString() =>
        $"{(Translated ? "translated" : "own address"),-11}  mapping {Name(Mapping),-26}  port {(PortPreserved ? "kept" : "changed"),-7}  filtering {Name(Filtering)}";

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
