using System.IO.Pipelines;
using System.Net;
using System.Text;
using System.Text.Json;
using Carrier.Agent.Tunnels;
using Carrier.Agent.Tunnels.Forwarding;
using Carrier.Agent.Tunnels.Serving;
using Carrier.Core.Identity;
using Carrier.Fuzz.Targets;

namespace Carrier.Tests.Agent.Tunnels;

/// <summary>The bytes of <c>carrier/services/1</c> and of SOCKS5, held to the golden vectors and to the fuzz targets.</summary>
public sealed class TunnelWireTests
{
    private const string Id = "0xE94b04a0FeD112f3664e45adb2B8915693d05FF3";

    private static readonly JsonElement Golden =
        JsonDocument.Parse(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Vectors", "services.json"))).RootElement;

    private delegate void Target(ReadOnlySpan<byte> data);

    [Fact]
    public void Requests_and_answers_encode_to_the_vectors()
    {
        Assert.Equal(Hex("request_connection"), Encode(new TunnelRequest(TunnelKind.Connection, Name("ssh"))));
        Assert.Equal(Hex("request_flow"), Encode(new TunnelRequest(TunnelKind.Flow, Name("game"), 300)));
        Assert.Equal(Hex("request_presence"), Encode(new TunnelRequest(TunnelKind.Presence, default)));
        byte[] answer = new byte[TunnelLimits.MaxAnswerBytes];
        Assert.Equal(Hex("answer_open"), answer[..TunnelAnswer.Write(answer, TunnelOutcome.Open)]);
        Assert.Equal(Hex("answer_refused"), answer[..TunnelAnswer.Write(answer, TunnelOutcome.Refused)]);
    }

    [Fact]
    public async Task Framing_writes_the_stream_of_the_vector()
    {
        var pipe = new Pipe();
        Framing.Write(pipe.Writer, Hex("request_connection"));
        await pipe.Writer.WriteAsync("Hello"u8.ToArray(), TestContext.Current.CancellationToken);
        ReadResult result = await pipe.Reader.ReadAsync(TestContext.Current.CancellationToken);
        Assert.Equal(Hex("stream"), System.Buffers.BuffersExtensions.ToArray(result.Buffer));
    }

    [Fact]
    public void Longest_request_fits_its_bound() =>
        Assert.InRange(Encode(new TunnelRequest(TunnelKind.Flow, Name(new string('a', 63)), TunnelLimits.MaxFlowId)).Length, 64, TunnelLimits.MaxRequestBytes);

    [Theory]
    [InlineData("a3000201010263737368")] // another version
    [InlineData("a3000101040263737368")] // an unknown kind
    [InlineData("a3000101010263535348")] // capitals on the wire
    [InlineData("a3000101010260")] // no name
    [InlineData("a30001010202646761")] // a flow without its number
    [InlineData("a400010102026467616d65031a40000000")] // a number too large
    [InlineData("a300010101026373736800")] // bytes behind it
    public void Request_that_is_none_is_told(string hex) => Assert.False(TunnelRequest.TryParse(Convert.FromHexString(hex), out _));

    [Fact]
    public void Unknown_keys_and_outcomes_are_borne()
    {
        Assert.True(TunnelRequest.TryParse(Convert.FromHexString("a400010101026373736818ff00"), out TunnelRequest request));
        Assert.Equal("ssh", request.Service.Text);
        Assert.True(TunnelAnswer.TryParse(Convert.FromHexString("a1001863"), out TunnelOutcome outcome));
        Assert.Equal(TunnelOutcome.Refused, outcome);
    }

    [Theory]
    [InlineData("ssh", "ssh")]
    [InlineData("Web-2", "web-2")]
    [InlineData("80", "80")]
    [InlineData("", null)]
    [InlineData("-a", null)]
    [InlineData("a-", null)]
    [InlineData("a.b", null)]
    [InlineData("a_b", null)]
    [InlineData("caf\u00E9", null)]
    public void ServiceName_is_a_label(string text, string? expected) =>
        Assert.Equal(expected, ServiceName.TryParse(text, out ServiceName name) ? name.Text : null);

    [Theory]
    [InlineData("ssh." + Id + ".carrier", 22, "ssh")]
    [InlineData(Id + ".CARRIER.", 8080, "8080")]
    [InlineData("a.b." + Id + ".carrier", 1, null)]
    [InlineData("example.com", 80, null)]
    [InlineData("carrier", 80, null)]
    [InlineData("nobody.carrier", 80, null)]
    public void Socks_names_map_to_services(string name, int port, string? expected) =>
        Assert.Equal(expected, SocksGreeting.TryReadName(name, (ushort)port, out TrustId peer, out ServiceName service) && peer.ToString().Length > 0 ? service.Text : null);

    [Fact]
    public void Socks_leads_nowhere_but_to_carrier_names()
    {
        Assert.Equal(SocksReply.NotAllowed, SocksGreeting.TryRead(Convert.FromHexString("050100017f0000010050"), out _, out _));
        Assert.Equal(SocksReply.CommandNotSupported, SocksGreeting.TryRead(Convert.FromHexString("050300017f0000010050"), out _, out _));
    }

    [Theory]
    [InlineData("127.0.0.1:22", true)]
    [InlineData("[::1]:22", true)]
    [InlineData("localhost:22", true)]
    [InlineData("localhost", false)]
    [InlineData(":22", false)]
    [InlineData("127.0.0.1:0", false)]
    [InlineData("127.0.0.1:65536", false)]
    [InlineData("::1:22", false)]
    [InlineData("a b:22", false)]
    public void ServiceTarget_is_host_and_port(string text, bool reads) => Assert.Equal(reads, ServiceTarget.TryParse(text, out EndPoint _));

    [Fact]
    public void Requests_holds() => Run(TunnelTargets.Requests, Hex("request_flow"));

    [Fact]
    public void Answers_holds() => Run(TunnelTargets.Answers, Hex("answer_open"));

    [Fact]
    public void Messages_holds() => Run(TunnelTargets.Messages, Hex("stream"));

    [Fact]
    public void Datagrams_holds() => Run(TunnelTargets.Datagrams, Hex("datagram"));

    [Fact]
    public void SocksRequests_holds()
    {
        byte[] name = Encoding.ASCII.GetBytes($"ssh.{Id}.carrier");
        Run(TunnelTargets.SocksRequests, [5, 1, 0, 3, (byte)name.Length, .. name, 0, 22]);
    }

    private static ServiceName Name(string text) => ServiceName.TryParse(text, out ServiceName name) ? name : throw new InvalidOperationException(text);

    private static byte[] Encode(TunnelRequest request)
    {
        byte[] buffer = new byte[TunnelLimits.MaxRequestBytes];
        return buffer[..request.Write(buffer)];
    }

    private static byte[] Hex(string name) => Convert.FromHexString(Golden.GetProperty(name).GetString()!);

    private static void Run(Target target, byte[] golden)
    {
        target(golden);
        for (int length = 0; length < golden.Length; length++)
        {
            target(golden.AsSpan(0, length));
        }

        for (int bit = 0; bit < golden.Length * 8; bit++)
        {
            byte[] flipped = [.. golden];
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            target(flipped);
        }

        for (int seed = 0; seed < 200; seed++)
        {
            target(TransferRig.RandomBytes(seed, seed));
        }
    }
}
