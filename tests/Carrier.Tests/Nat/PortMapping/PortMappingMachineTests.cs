using Carrier.Core;
using Carrier.Nat.PortMapping;
using CsCheck;

namespace Carrier.Tests.Nat.PortMapping;

public sealed class PortMappingMachineTests
{
    private static readonly Endpoint External = Addresses.Of("203.0.113.7:4343");
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(100);

    [Fact]
    public void SetRoute_gateway_with_all_protocols_is_mapped_by_pcp_alone()
    {
        FakeGateway gateway = new() { SpeaksPcp = true, SpeaksNatPmp = true, SpeaksUpnp = true };
        gateway.Begin();
        gateway.Run(Moment);
        Assert.Equal([External], gateway.Told);
        Assert.Equal(["pcp map"], gateway.Calls);
        Assert.Equal(PortMappingKind.Pcp, gateway.Machine.Protocol);
    }

    [Theory]
    [InlineData(false, false, "upnp AddAnyPortMapping")]
    [InlineData(false, true, "natpmp map")]
    [InlineData(true, false, "pcp map")]
    public void SetRoute_gateway_of_one_protocol_is_mapped_by_that(bool pcp, bool natPmp, string call)
    {
        FakeGateway gateway = new() { SpeaksPcp = pcp, SpeaksNatPmp = natPmp, SpeaksUpnp = true };
        gateway.Begin();
        gateway.Run(Moment);
        Assert.Equal([External], gateway.Told);
        Assert.Equal([call], gateway.Calls);
    }

    [Fact]
    public void Release_held_mapping_is_deleted()
    {
        foreach (FakeGateway gateway in (FakeGateway[])[new() { SpeaksPcp = true }, new() { SpeaksNatPmp = true }, new() { SpeaksUpnp = true }])
        {
            gateway.Begin();
            gateway.Run(Moment);
            Assert.NotEqual(0, gateway.Mapped);
            gateway.Release();
            Assert.True(gateway.Machine.IsReleased);
            Assert.Equal(0, gateway.Mapped);
            Assert.Equal([External, default], gateway.Told);
            Assert.Equal(Instant.Never, gateway.Machine.NextDeadline);
        }
    }

    [Fact]
    public void Release_silent_gateway_is_over_within_patience()
    {
        FakeGateway gateway = new() { SpeaksPcp = true };
        gateway.Begin();
        gateway.Run(Moment);
        gateway.SpeaksPcp = false;
        gateway.Release();
        Assert.False(gateway.Machine.IsReleased);
        gateway.Run(PortMappingMachine.ReleasePatience);
        Assert.True(gateway.Machine.IsReleased);
    }

    [Fact]
    public void HandleTimeout_at_half_the_lifetime_renews()
    {
        FakeGateway gateway = new() { SpeaksPcp = true };
        gateway.Begin();
        gateway.Run(TimeSpan.FromMinutes(29));
        Assert.Equal(["pcp map"], gateway.Calls);
        gateway.Run(TimeSpan.FromMinutes(2));
        Assert.Equal(["pcp map", "pcp map"], gateway.Calls);
        Assert.Equal([External], gateway.Told);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Handle_epoch_that_began_anew_maps_anew_within_a_check(bool pcp)
    {
        FakeGateway gateway = new() { SpeaksPcp = pcp, SpeaksNatPmp = !pcp };
        gateway.Begin();
        gateway.Run(TimeSpan.FromMinutes(10));
        gateway.Restart();
        Assert.Equal(0, gateway.Mapped);
        gateway.Run(PortMappingMachine.CheckInterval + Moment);
        Assert.Equal(4343, gateway.Mapped);
        Assert.Equal(2, gateway.Calls.Count);
        gateway.Run(TimeSpan.FromMinutes(5));
        Assert.Equal(2, gateway.Calls.Count);
    }

    [Fact]
    public void HandleTimeout_upnp_is_asked_for_again_every_ten_minutes()
    {
        FakeGateway gateway = new() { SpeaksUpnp = true };
        gateway.Begin();
        gateway.Run(TimeSpan.FromMinutes(9));
        gateway.Restart();
        gateway.Run(TimeSpan.FromMinutes(2));
        Assert.Equal(4343, gateway.Mapped);
    }

    [Fact]
    public void HandleTimeout_gateway_gone_is_lost_when_the_lifetime_is_over_and_found_again()
    {
        FakeGateway gateway = new() { SpeaksPcp = true };
        gateway.Begin();
        gateway.Run(Moment);
        gateway.SpeaksPcp = false;
        gateway.Run(TimeSpan.FromMinutes(59));
        Assert.Equal([External], gateway.Told);
        gateway.Run(TimeSpan.FromMinutes(2));
        Assert.Equal([External, default], gateway.Told);
        gateway.SpeaksPcp = true;
        gateway.Run(PortMappingMachine.LongestBackoff);
        Assert.Equal([External, default, External], gateway.Told);
    }

    [Theory]
    [InlineData("192.168.0.7:0")]
    [InlineData("100.64.1.1:0")]
    [InlineData("127.0.0.1:0")]
    [InlineData("0.0.0.0:0")]
    public void SetRoute_gateway_behind_another_nat_tells_no_address_and_leaves_nothing(string external)
    {
        foreach (FakeGateway gateway in (FakeGateway[])[new() { SpeaksPcp = true }, new() { SpeaksNatPmp = true }, new() { SpeaksUpnp = true }])
        {
            gateway.External = Addresses.Of(external);
            gateway.Begin();
            gateway.Run(PortMappingMachine.AttemptPatience);
            Assert.Empty(gateway.Told);
            Assert.True(gateway.ToldDoubleNat);
            Assert.Equal(0, gateway.Mapped);
        }
    }

    [Fact]
    public void Handle_pcp_that_refuses_goes_on_to_what_else_there_is()
    {
        FakeGateway gateway = new() { SpeaksPcp = true, PcpResult = 2, SpeaksUpnp = true };
        gateway.Begin();
        gateway.Run(TimeSpan.FromSeconds(1));
        Assert.Equal([External], gateway.Told);
        Assert.Equal(PortMappingKind.Upnp, gateway.Machine.Protocol);
    }

    [Theory]
    [InlineData(401, "upnp AddPortMapping")]
    [InlineData(718, "upnp AddAnyPortMapping")]
    [InlineData(725, "upnp AddAnyPortMapping")]
    public void HandleExchange_upnp_error_is_answered_with_another_request(int error, string second)
    {
        FakeGateway gateway = new() { SpeaksUpnp = true };
        gateway.AddErrors.Enqueue(error);
        gateway.Begin();
        gateway.Run(Moment);
        Assert.Equal(["upnp AddAnyPortMapping", second], gateway.Calls);
        _ = Assert.Single(gateway.Told);
    }

    [Fact]
    public void HandleExchange_ports_always_taken_are_not_tried_for_ever()
    {
        FakeGateway gateway = new() { SpeaksUpnp = true };
        for (int i = 0; i < 100; i++)
        {
            gateway.AddErrors.Enqueue(718);
        }

        gateway.Begin();
        gateway.Run(PortMappingMachine.AttemptPatience);
        Assert.Equal(4, gateway.Calls.Count);
        Assert.Empty(gateway.Told);
    }

    [Fact]
    public void Handle_location_elsewhere_is_never_fetched()
    {
        FakeGateway gateway = new() { SpeaksUpnp = true, Location = GatewayCodecTests.Address("http://169.254.169.254:80/latest/meta-data") };
        gateway.Begin();
        gateway.Run(PortMappingMachine.AttemptPatience);
        Assert.Empty(gateway.Hosts);
        Assert.True(gateway.Drops[DropReason.ScopeMismatch] > 0);
    }

    [Fact]
    public void HandleExchange_control_elsewhere_is_never_called()
    {
        FakeGateway gateway = new()
        {
            SpeaksUpnp = true,
            Description = "<root><service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><controlURL>http://10.0.0.9:80/x</controlURL></service></root>"u8.ToArray(),
        };
        gateway.Begin();
        gateway.Run(PortMappingMachine.AttemptPatience);
        Assert.Equal([FakeGateway.Route.Gateway], gateway.Hosts.Select(host => host.WithPort(0)));
        Assert.Empty(gateway.Told);
    }

    [Fact]
    public void Handle_answers_of_strangers_count_for_nothing()
    {
        FakeGateway gateway = new();
        gateway.Begin();
        gateway.Hear(Addresses.Of("192.168.1.66:5351"), NatVectors.Get("pcp-announce-answer"));
        gateway.Hear(Addresses.Of("192.168.1.66:5351"), NatVectors.Get("natpmp-address-answer"));
        gateway.Run(PortMappingMachine.AttemptPatience);
        Assert.Empty(gateway.Calls);
        Assert.Equal(2, gateway.Drops[DropReason.Unsolicited]);
    }

    [Fact]
    public void HandleTimeout_silent_gateway_is_given_up_within_patience_and_asked_ever_less()
    {
        FakeGateway gateway = new();
        gateway.Begin();
        gateway.Run(PortMappingMachine.AttemptPatience);
        int first = gateway.Sent;
        Assert.InRange(first, 4, 16);
        gateway.Run(PortMappingMachine.FirstBackoff - Moment);
        Assert.Equal(first, gateway.Sent);
        gateway.Run(TimeSpan.FromMinutes(3));
        int again = first * PortMappingMachine.RepeatSends / RequestTimer.MaxSends;
        Assert.Equal(first + (2 * again), gateway.Sent);
        gateway.Run(TimeSpan.FromHours(24));
        Assert.InRange((gateway.Sent - first) / again, 40, 64);
    }

    [Fact]
    public void SetRoute_another_gateway_is_asked_at_once()
    {
        FakeGateway gateway = new() { SpeaksPcp = true };
        gateway.Begin();
        gateway.Run(Moment);
        gateway.Disconnect();
        Assert.Equal([External, default], gateway.Told);
        gateway.Begin();
        gateway.Run(Moment);
        Assert.Equal([External, default, External], gateway.Told);
    }

    [Fact]
    public void Run_any_gateway_any_lifetime_tells_only_global_addresses_and_bounds_its_requests() =>
        Gen.Select(Gen.Bool, Gen.Bool, Gen.Bool, Gen.Int[0, 20_000], Gen.UInt, Gen.Byte[0, 14]).Sample((pcp, natPmp, upnp, lifetime, address, result) =>
        {
            FakeGateway gateway = new()
            {
                SpeaksPcp = pcp,
                SpeaksNatPmp = natPmp,
                SpeaksUpnp = upnp,
                Granted = TimeSpan.FromSeconds(lifetime),
                PcpResult = result,
                External = Endpoint.FromIPv4(address, 0),
            };
            gateway.Begin();
            gateway.Run(TimeSpan.FromMinutes(10));
            Assert.All(gateway.Told, told => Assert.True(told.IsNone || told.Scope == AddressScope.Global));
            Assert.InRange(gateway.Calls.Count, 0, 10 * 60 / 4);
            gateway.Release();
            gateway.Run(PortMappingMachine.ReleasePatience);
            Assert.True(gateway.Machine.IsReleased);
            Assert.Equal(0, gateway.Mapped);
        }, iter: 200, threads: 1);
}
