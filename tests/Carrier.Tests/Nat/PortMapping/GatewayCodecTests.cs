using System.Text;
using Carrier.Core;
using Carrier.Fuzz.Targets;
using Carrier.Nat.PortMapping;
using Carrier.Nat.PortMapping.NatPmp;
using Carrier.Nat.PortMapping.Pcp;
using Carrier.Nat.PortMapping.Upnp;

namespace Carrier.Tests.Nat.PortMapping;

public sealed class GatewayCodecTests
{
    private static readonly Endpoint Client = Addresses.Of("192.168.1.2:4242");
    private static readonly PcpNonce Nonce = new(0x0102030405060708, 0x090a0b0c);
    private static readonly GatewayAddress Location = Address("http://192.168.1.1:5555/desc/root.xml");

    [Fact]
    public void PcpRequest_matches_the_layout_of_rfc6887()
    {
        byte[] map = new byte[PcpRequest.MapBytes];
        PcpRequest request = new(PcpOpcode.Map, TimeSpan.FromHours(2), Client, Nonce, Addresses.Of("203.0.113.7:4343"));
        Assert.Equal(map.Length, request.Write(map));
        Assert.Equal(NatVectors.Get("pcp-map-request"), map);

        byte[] announce = new byte[PcpRequest.AnnounceBytes];
        Assert.Equal(announce.Length, PcpRequest.Announce(Client).Write(announce));
        Assert.Equal(NatVectors.Get("pcp-announce-request"), announce);
        Assert.Equal(0, request.Write(announce));
    }

    [Fact]
    public void PcpAnswer_matches_the_layout_of_rfc6887()
    {
        Assert.True(PcpAnswer.TryParse(NatVectors.Get("pcp-map-answer"), out PcpAnswer answer));
        Assert.Equal(new PcpAnswer(PcpOpcode.Map, PcpResult.Success, TimeSpan.FromHours(1), 1000, Nonce, 4242, Addresses.Of("203.0.113.7:4343")), answer);
        Assert.True(PcpAnswer.TryParse(NatVectors.Get("pcp-announce-answer"), out answer));
        Assert.Equal((PcpOpcode.Announce, PcpResult.Success, 1001u), (answer.Opcode, answer.Result, answer.Epoch));
        Assert.False(PcpAnswer.TryParse(NatVectors.Get("pcp-map-request"), out _));
    }

    [Fact]
    public void NatPmp_matches_the_layout_of_rfc6886()
    {
        byte[] buffer = new byte[NatPmpRequest.MapBytes];
        Assert.Equal(NatVectors.Get("natpmp-address-request"), buffer[..NatPmpRequest.WriteExternalAddress(buffer)]);
        Assert.Equal(NatVectors.Get("natpmp-map-request"), buffer[..NatPmpRequest.WriteMap(buffer, 4242, 4343, TimeSpan.FromHours(2))]);

        Assert.True(NatPmpAnswer.TryParse(NatVectors.Get("natpmp-address-answer"), out NatPmpAnswer answer));
        Assert.Equal(new NatPmpAnswer(NatPmpOpcode.ExternalAddress, 0, 1000, 0, Addresses.Of("203.0.113.7:0"), TimeSpan.Zero), answer);
        Assert.True(NatPmpAnswer.TryParse(NatVectors.Get("natpmp-map-answer"), out answer));
        Assert.Equal((4242, 4343, 3600.0), (answer.InternalPort, answer.External.Port, answer.Lifetime.TotalSeconds));
        Assert.True(NatPmpAnswer.TryParse(NatVectors.Get("natpmp-version-refused"), out answer));
        Assert.False(answer.Succeeded);
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nST: x\r\nLocation:  http://192.168.1.1:5555/rootDesc.xml \r\n\r\n", "http://192.168.1.1:5555/rootDesc.xml")]
    [InlineData("HTTP/1.0 200 OK\r\nLOCATION: http://192.168.1.1\r\n\r\n", "http://192.168.1.1:80/")]
    [InlineData("HTTP/1.1 200 OK\r\nLOCATION: https://192.168.1.1/x\r\n\r\n", null)]
    [InlineData("HTTP/1.1 200 OK\r\nLOCATION: http://router.example/x\r\n\r\n", null)]
    [InlineData("HTTP/1.1 200 OK\r\nLOCATION: http://127.1:80/x\r\n\r\n", null)]
    [InlineData("HTTP/1.1 200 OK\r\nLOCATION: http://user@192.168.1.1:80/x\r\n\r\n", null)]
    [InlineData("HTTP/1.1 200 OK\r\nLOCATION: http://192.168.1.1:80/x y\r\n\r\n", null)]
    [InlineData("HTTP/1.1 404 Not Found\r\nLOCATION: http://192.168.1.1:80/x\r\n\r\n", null)]
    [InlineData("NOTIFY * HTTP/1.1\r\nLOCATION: http://192.168.1.1:80/x\r\n\r\n", null)]
    public void SsdpAnswer_takes_only_literal_http_addresses(string datagram, string? expected)
    {
        Assert.Equal(expected is not null, SsdpAnswer.TryParse(Encoding.ASCII.GetBytes(datagram), out SsdpAnswer answer));
        Assert.Equal(expected, expected is null ? null : answer.Location.ToString());
    }

    [Theory]
    [InlineData("/ctl/IPConn", "http://192.168.1.1:5555/ctl/IPConn")]
    [InlineData("ctl", "http://192.168.1.1:5555/desc/ctl")]
    [InlineData("http://10.0.0.9:81/x", "http://10.0.0.9:81/x")]
    [InlineData("//10.0.0.9/x", null)]
    [InlineData("ftp://192.168.1.1/x", null)]
    [InlineData("", null)]
    [InlineData("/x\r\nHost: evil", null)]
    public void TryResolve_references_of_a_description(string reference, string? expected)
    {
        Assert.Equal(expected is not null, Location.TryResolve(Encoding.ASCII.GetBytes(reference), out GatewayAddress address));
        Assert.Equal(expected, expected is null ? null : address.ToString());
    }

    [Fact]
    public void IgdDescription_of_miniupnpd_yields_its_connection_service()
    {
        Assert.True(IgdDescription.TryParse(DescriptionVector(), Location, out IgdDescription description));
        Assert.Equal(IgdService.WanIpConnection2, description.Service);
        Assert.Equal("http://192.168.1.1:5555/ctl/IPConn", description.Control.ToString());
    }

    [Theory]
    [InlineData("<!DOCTYPE root [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>")]
    [InlineData("<![CDATA[x]]>")]
    public void IgdDescription_with_a_document_type_is_refused(string prolog) =>
        Assert.False(IgdDescription.TryParse([.. Encoding.ASCII.GetBytes(prolog), .. DescriptionVector()], Location, out _));

    [Fact]
    public void IgdDescription_nested_without_end_is_refused() =>
        Assert.False(IgdDescription.TryParse(Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("<a>", 10_000))), Location, out _));

    [Fact]
    public void IgdAnswer_reads_address_port_and_error()
    {
        Assert.True(IgdAnswer.TryParse(Soap("<NewExternalIPAddress>203.0.113.7</NewExternalIPAddress>"), out IgdAnswer answer));
        Assert.Equal(Addresses.Of("203.0.113.7:0"), answer.ExternalAddress);
        Assert.True(IgdAnswer.TryParse(Soap("<NewReservedPort>4343</NewReservedPort>"), out answer));
        Assert.Equal(4343, answer.ReservedPort);
        Assert.True(IgdAnswer.TryParse(Soap("<detail><UPnPError><errorCode>718</errorCode><errorDescription>ConflictInMappingEntry</errorDescription></UPnPError></detail>"), out answer));
        Assert.Equal(IgdAnswer.ConflictInMappingEntry, answer.ErrorCode);
        Assert.True(IgdAnswer.TryParse(Soap("<NewExternalIPAddress></NewExternalIPAddress><NewReservedPort>70000</NewReservedPort>"), out answer));
        Assert.Equal(default, answer);
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", false, HttpProgress.Complete, "body")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbody", false, HttpProgress.Incomplete, "")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbody", true, HttpProgress.Refused, "")]
    [InlineData("HTTP/1.1 200 OK\r\n\r\nbody", false, HttpProgress.Incomplete, "body")]
    [InlineData("HTTP/1.1 200 OK\r\n\r\nbody", true, HttpProgress.Complete, "body")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2;x=y\r\ndy\r\n0\r\n\r\n", false, HttpProgress.Complete, "body")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\nd", false, HttpProgress.Incomplete, "")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n", false, HttpProgress.Refused, "")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", false, HttpProgress.Refused, "")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", false, HttpProgress.Refused, "")]
    [InlineData("ICY 200 OK\r\n\r\n", true, HttpProgress.Refused, "")]
    public void HttpAnswer_finds_the_body(string text, bool hasEnded, HttpProgress expected, string expectedBody)
    {
        Assert.Equal(expected, HttpAnswer.Read(Encoding.ASCII.GetBytes(text), hasEnded, out _, out ReadOnlySpan<byte> body));
        Assert.Equal(expectedBody, Encoding.ASCII.GetString(body));
    }

    [Fact]
    public void GatewayEpoch_notices_a_restart_and_nothing_else()
    {
        GatewayEpoch epoch = default;
        Assert.True(epoch.Continues(Addresses.At(0), 1000));
        Assert.True(epoch.Continues(Addresses.At(60), 1060));
        Assert.True(epoch.Continues(Addresses.At(61), 1060)); // within a second
        Assert.True(epoch.Continues(Addresses.At(3600), 4500)); // its clock runs a little slow
        Assert.False(epoch.Continues(Addresses.At(3660), 3)); // restarted
        Assert.True(epoch.Continues(Addresses.At(3720), 63));
        Assert.False(epoch.Continues(Addresses.At(3721), 9000)); // restarted with another origin
    }

    [Fact]
    public void Parsers_hostile_bytes_never_throw()
    {
        foreach (string name in (string[])["pcp-map-request", "pcp-map-answer", "pcp-announce-answer"])
        {
            HostileInput.Feed(NatVectors.Get(name), GatewaysTargets.Pcp);
        }

        HostileInput.Feed(NatVectors.Get("natpmp-address-answer"), GatewaysTargets.NatPmp);
        HostileInput.Feed(NatVectors.Get("natpmp-map-answer"), GatewaysTargets.NatPmp);
        HostileInput.Feed("HTTP/1.1 200 OK\r\nLOCATION: http://192.168.1.1:5555/rootDesc.xml\r\n\r\n"u8.ToArray(), GatewaysTargets.Ssdp);
        HostileInput.Feed(Soap("<NewExternalIPAddress>203.0.113.7</NewExternalIPAddress>"), GatewaysTargets.Soap);
        HostileInput.Feed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n"u8.ToArray(), GatewaysTargets.Http);
        HostileInput.Feed(DescriptionVector()[..600], GatewaysTargets.Description);
    }

    internal static GatewayAddress Address(string text) =>
        GatewayAddress.TryParse(Encoding.ASCII.GetBytes(text), out GatewayAddress address) ? address : throw new FormatException(text);

    /// <summary>What miniupnpd 2.3.1 serves.</summary>
    internal static byte[] DescriptionVector() => File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Vectors", "gateways", "igd2-description.xml"));

    internal static byte[] Soap(string content) => Encoding.ASCII.GetBytes(
        "<?xml version=\"1.0\"?>\r\n<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><u:Answer xmlns:u=\"urn:x\">" + content + "</u:Answer></s:Body></s:Envelope>");
}
