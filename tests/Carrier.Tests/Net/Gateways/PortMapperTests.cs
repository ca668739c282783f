using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Carrier.Core;
using Carrier.Gateways;
using Carrier.Nat.PortMapping;
using Carrier.Nat.PortMapping.Pcp;
using Carrier.Tests.Nat;
using Microsoft.Extensions.Logging.Abstractions;

namespace Carrier.Tests.Net.Gateways;

/// <summary>The mapper's own task and socket against a NAT-PMP gateway on a loopback address of its own.</summary>
public sealed class PortMapperTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Start_natpmp_gateway_is_mapped_and_unmapped_at_the_end()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "only Linux answers for all of 127/8 unasked");
        IPAddress address = IPAddress.Parse("127.77.0.1");
        using Socket gateway = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        gateway.Bind(new IPEndPoint(address, PcpRequest.ServerPort));
        Channel<Endpoint> told = Channel.CreateBounded<Endpoint>(8);
        Channel<string> calls = Channel.CreateBounded<string>(64);
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        Task serving = ServeAsync(gateway, calls.Writer, stop.Token);

        GatewayRoute route = new(Endpoint.From(new IPEndPoint(address, 0)), Addresses.Of("127.0.0.1:4242"));
        PortMapper mapper = PortMapper.Start(() => route, external => told.Writer.TryWrite(external), NullLogger.Instance);
        await using (mapper)
        {
            Assert.Equal(Addresses.Of("203.0.113.7:4343"), await told.Reader.ReadAsync(Cancel));
            Assert.Equal("map", await calls.Reader.ReadAsync(Cancel));
        }

        Assert.Equal("delete", await calls.Reader.ReadAsync(Cancel));
        Assert.Equal(default, await told.Reader.ReadAsync(Cancel));
        await stop.CancelAsync();
        await serving;
    }

    [Theory]
    [InlineData("eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0", "192.168.1.1")]
    [InlineData("eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0", null)]
    [InlineData("tun0\t00000000\t00000000\t0001\t0\t0\t50\t00000000\t0\t0\t0", null)]
    [InlineData("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT", null)]
    [InlineData("eth0\t00000000\tXYZ", null)]
    public void OfRouteTable_finds_the_default_gateway(string line, string? expected)
    {
        string worse = "wlan0\t00000000\t0201A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0";
        Assert.Equal(expected ?? "192.168.1.2", DefaultGateway.OfRouteTable([line, worse])?.ToString());
    }

    private static async Task ServeAsync(Socket gateway, ChannelWriter<string> calls, CancellationToken stop)
    {
        byte[] request = new byte[64];
        try
        {
            while (true)
            {
                SocketReceiveFromResult received = await gateway.ReceiveFromAsync(request, SocketFlags.None, new IPEndPoint(IPAddress.Any, 0), stop);
                if (request[0] != 0)
                {
                    continue; // PCP: an older gateway keeps silent
                }

                bool isMap = received.ReceivedBytes == 12;
                bool deletes = isMap && request.AsSpan(8, 4).IndexOfAnyExcept((byte)0) < 0;
                byte[] answer = NatVectors.Get(isMap ? "natpmp-map-answer" : "natpmp-address-answer");
                if (isMap)
                {
                    _ = calls.TryWrite(deletes ? "delete" : "map");
                }

                _ = await gateway.SendToAsync(answer, SocketFlags.None, received.RemoteEndPoint, stop);
            }
        }
        catch (OperationCanceledException)
        {
            return; // the test is over
        }
    }
}
