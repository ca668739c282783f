using System.Text;
using Carrier.Fuzz.Targets;
using Carrier.Tests.Nat;
using Carrier.Tunnels;

namespace Carrier.Tests.Net.Tunnels;

public sealed class TunnelUpgradeTests
{
    private const string Rfc6455Key = "dGhlIHNhbXBsZSBub25jZQ==";

    private const string Golden = "GET /carrier HTTP/1.1\r\nHost: 192.0.2.1\r\nConnection: Upgrade\r\nupgrade: WebSocket\r\n"
        + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + Rfc6455Key + "\r\nSec-WebSocket-Protocol: carrier.datagrams.1\r\n\r\n";

    [Fact]
    public void Accept_answers_the_key_of_rfc6455()
    {
        Assert.True(TunnelUpgrade.TryParse(Encoding.ASCII.GetBytes(Golden), out string key));
        Assert.Equal(Rfc6455Key, key);
        Assert.Contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", Encoding.ASCII.GetString(TunnelUpgrade.Accept(key)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET /carrier", "GET /other")]
    [InlineData("GET /carrier", "POST /carrier")]
    [InlineData("upgrade: WebSocket", "upgrade: h2c")]
    [InlineData("Version: 13", "Version: 8")]
    [InlineData("Sec-WebSocket-Key: ", "Sec-WebSocket-Key: \n")]
    [InlineData("carrier.datagrams.1", "carrier.datagrams.2")]
    [InlineData("Host: 192.0.2.1", "no field")]
    [InlineData("\r\n\r\n", "\r\n")]
    public void TryParse_anything_else_is_refused(string what, string instead) =>
        Assert.False(TunnelUpgrade.TryParse(Encoding.ASCII.GetBytes(Golden.Replace(what, instead, StringComparison.Ordinal)), out _));

    [Fact]
    public void TryParse_hostile_bytes_never_throws() => HostileInput.Feed(Encoding.ASCII.GetBytes(Golden), TunnelsTargets.Upgrade);
}
