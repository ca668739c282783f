using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using Carrier.Core.Crypto;
using Carrier.Nat;
using Carrier.Tests.Sdk;
using Carrier.Tunnels;

namespace Carrier.Tests.Net.Tunnels;

/// <summary>Tunnels of a serving node over loopback, straight and through proxies.</summary>
public sealed class TunnelTests : IAsyncLifetime
{
    private readonly TransportKey _key = TransportKey.Generate(SystemRandomSource.Shared);
    private CarrierNode? _seed;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private IPEndPoint Server => _seed!.TunnelEndpoint!;

    public async ValueTask InitializeAsync() => _seed = await CarrierNode.StartAsync(
        new CarrierNodeOptions
        {
            Identity = new NodeIdentity(_key),
            Listen = new IPEndPoint(IPAddress.Loopback, 0),
            Serve = true,
            TunnelListen = new IPEndPoint(IPAddress.Loopback, 0),
            LoggerFactory = new TestLog(),
        },
        Cancel);

    public async ValueTask DisposeAsync()
    {
        await _seed!.DisposeAsync();
        _key.Dispose();
    }

    [Fact]
    public async Task ConnectAsync_a_datagram_goes_both_ways_and_the_node_sees_the_connections_address()
    {
        using WebSocket socket = await TunnelClient.ConnectAsync(Server, proxy: null, Cancel);
        await AssertAnswersAsync(socket);
    }

    [Fact]
    public async Task ConnectAsync_through_an_http_proxy()
    {
        await using OneProxy proxy = OneProxy.Start(Server, SpeakHttpConnectAsync);
        using WebSocket socket = await TunnelClient.ConnectAsync(Server, new WebProxy($"http://127.0.0.1:{proxy.Port}"), Cancel);
        await AssertAnswersAsync(socket);
        Assert.True(proxy.WasUsed);
    }

    [Fact]
    public async Task ConnectAsync_through_a_socks_proxy()
    {
        await using OneProxy proxy = OneProxy.Start(Server, SpeakSocks5Async);
        using WebSocket socket = await TunnelClient.ConnectAsync(Server, new WebProxy($"socks5://127.0.0.1:{proxy.Port}"), Cancel);
        await AssertAnswersAsync(socket);
        Assert.True(proxy.WasUsed);
    }

    [Fact]
    public async Task Server_closes_on_a_message_longer_than_any_datagram()
    {
        using WebSocket socket = await TunnelClient.ConnectAsync(Server, proxy: null, Cancel);
        await socket.SendAsync(new byte[Tunnel.MaxDatagramBytes + 1], WebSocketMessageType.Binary, endOfMessage: true, Cancel);
        Assert.Equal(WebSocketMessageType.Close, (await socket.ReceiveAsync(new byte[16], Cancel)).MessageType);
    }

    [Fact]
    public async Task Server_closes_on_text()
    {
        using WebSocket socket = await TunnelClient.ConnectAsync(Server, proxy: null, Cancel);
        await socket.SendAsync("hello"u8.ToArray(), WebSocketMessageType.Text, endOfMessage: true, Cancel);
        Assert.Equal(WebSocketMessageType.Close, (await socket.ReceiveAsync(new byte[16], Cancel)).MessageType);
    }

    [Fact]
    public async Task Server_answers_a_browser_with_404()
    {
        using TcpClient client = new();
        await client.ConnectAsync(Server, Cancel);
#pragma warning disable CA5359 // the certificate is made at the start
        await using SslStream stream = new(client.GetStream(), false, (_, _, _, _) => true);
#pragma warning restore CA5359
        await stream.AuthenticateAsClientAsync("seed.example");
        await stream.WriteAsync("GET / HTTP/1.1\r\nHost: seed.example\r\n\r\n"u8.ToArray(), Cancel);
        using StreamReader reader = new(stream);
        Assert.Equal("HTTP/1.1 404 Not Found", await reader.ReadLineAsync(Cancel));
    }

    [Fact]
    public async Task Server_outlives_a_stranger_who_speaks_no_tls()
    {
        using TcpClient client = new();
        await client.ConnectAsync(Server, Cancel);
        await client.GetStream().WriteAsync(new byte[64], Cancel);
        using WebSocket socket = await TunnelClient.ConnectAsync(Server, proxy: null, Cancel);
        await AssertAnswersAsync(socket);
    }

    [Fact]
    public async Task AnswersAsync_of_a_seed_that_hears_udp_and_of_one_that_does_not()
    {
        Assert.True(await UdpProbe.AnswersAsync(_seed!.LocalEndpoints[0], Cancel));
        using Socket mute = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        mute.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        Assert.False(await UdpProbe.AnswersAsync(Carrier.Core.Endpoint.From((IPEndPoint)mute.LocalEndPoint!), Cancel));
    }

    private static async Task AssertAnswersAsync(WebSocket socket)
    {
        byte[] request = new byte[StunMessage.HeaderBytes];
        byte[] transaction = [.. Enumerable.Range(1, StunMessage.TransactionIdBytes).Select(i => (byte)i)];
        _ = StunMessage.WriteBindingRequest(request, transaction);
        await socket.SendAsync(request, WebSocketMessageType.Binary, endOfMessage: true, Cancel);
        byte[] answer = new byte[Tunnel.MaxDatagramBytes];
        WebSocketReceiveResult received = await socket.ReceiveAsync(answer, Cancel);
        Assert.True(received is { MessageType: WebSocketMessageType.Binary, EndOfMessage: true });
        Assert.True(StunMessage.TryParse(answer.AsSpan(0, received.Count), out StunMessage message));
        Assert.Equal(transaction, message.TransactionId.ToArray());
        Assert.Equal(IPAddress.Loopback, message.MappedAddress.ToIPEndPoint().Address);
        Assert.NotEqual(0, message.MappedAddress.Port);
    }

    private static async Task<bool> SpeakHttpConnectAsync(NetworkStream client, IPEndPoint wanted)
    {
        byte[] head = new byte[1024];
        int bytes = 0;
        while (!head.AsSpan(0, bytes).EndsWith("\r\n\r\n"u8))
        {
            bytes += await client.ReadAsync(head.AsMemory(bytes), Cancel);
        }

        await client.WriteAsync("HTTP/1.1 200 Connection established\r\n\r\n"u8.ToArray(), Cancel);
        return Encoding.ASCII.GetString(head, 0, bytes).StartsWith($"CONNECT {wanted} ", StringComparison.Ordinal);
    }

    private static async Task<bool> SpeakSocks5Async(NetworkStream client, IPEndPoint wanted)
    {
        byte[] greeting = new byte[2];
        await client.ReadExactlyAsync(greeting, Cancel);
        await client.ReadExactlyAsync(new byte[greeting[1]], Cancel);
        await client.WriteAsync(new byte[] { 5, 0 }, Cancel);
        byte[] request = new byte[10]; // 05 01 00 01 address port (RFC 1928 §4)
        await client.ReadExactlyAsync(request, Cancel);
        await client.WriteAsync(new byte[] { 5, 0, 0, 1, 0, 0, 0, 0, 0, 0 }, Cancel);
        return request[3] == 1 && request.AsSpan(4, 4).SequenceEqual(wanted.Address.GetAddressBytes()) && ((request[8] << 8) | request[9]) == wanted.Port;
    }

    /// <summary>A proxy for one connection to one server.</summary>
    private sealed class OneProxy(TcpListener listener, IPEndPoint server, Func<NetworkStream, IPEndPoint, Task<bool>> speak) : IAsyncDisposable
    {
        private Task _serving = Task.CompletedTask;

        public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

        public bool WasUsed { get; private set; }

        public static OneProxy Start(IPEndPoint server, Func<NetworkStream, IPEndPoint, Task<bool>> speak)
        {
            TcpListener listener = new(IPAddress.Loopback, 0);
            listener.Start();
            OneProxy proxy = new(listener, server, speak);
            proxy._serving = proxy.ServeAsync();
            return proxy;
        }

        public async ValueTask DisposeAsync()
        {
            listener.Stop();
            await _serving;
            listener.Dispose();
        }

        private async Task ServeAsync()
        {
            using TcpClient client = await listener.AcceptTcpClientAsync(Cancel);
            using TcpClient upstream = new();
            WasUsed = await speak(client.GetStream(), server);
            await upstream.ConnectAsync(server, Cancel);
            try
            {
                _ = await Task.WhenAny(client.GetStream().CopyToAsync(upstream.GetStream(), Cancel), upstream.GetStream().CopyToAsync(client.GetStream(), Cancel));
            }
            catch (IOException)
            {
                return; // one end left
            }
        }
    }
}
