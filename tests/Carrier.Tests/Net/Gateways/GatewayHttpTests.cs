using System.Net;
using System.Net.Sockets;
using System.Text;
using Carrier.Core;
using Carrier.Gateways;
using Carrier.Nat.PortMapping;
using Carrier.Nat.PortMapping.Upnp;
using Carrier.Tests.Nat.PortMapping;

namespace Carrier.Tests.Net.Gateways;

/// <summary>The HTTP half of UPnP against gateways that mean harm, over loopback.</summary>
public sealed class GatewayHttpTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task ExchangeAsync_description_of_miniupnpd_arrives_whole()
    {
        byte[] description = GatewayCodecTests.DescriptionVector();
        GatewayAnswer answer = await AskAsync(async (stream, _) =>
        {
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {description.Length}\r\n\r\n"), Cancel);
            await stream.WriteAsync(description, Cancel);
        });
        Assert.Equal((7UL, 200), (answer.Id, answer.Status));
        Assert.Equal(description, answer.Body.ToArray());
    }

    [Fact]
    public async Task ExchangeAsync_redirect_is_not_followed()
    {
        using TcpListener elsewhere = new(IPAddress.Loopback, 0);
        elsewhere.Start();
        GatewayAnswer answer = await AskAsync((stream, _) =>
            stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 302 Found\r\nLocation: http://{elsewhere.LocalEndpoint}/x\r\nContent-Length: 0\r\n\r\n"), Cancel).AsTask());
        Assert.Equal(302, answer.Status);
        Assert.False(elsewhere.Pending());
    }

    [Fact]
    public async Task ExchangeAsync_endless_body_is_cut_at_its_bound()
    {
        long sent = 0;
        GatewayAnswer answer = await AskAsync(async (stream, cancel) =>
        {
            byte[] flood = Encoding.ASCII.GetBytes("HTTP/1.1 200 OK\r\n\r\n" + new string('a', 4096));
            while (true)
            {
                await stream.WriteAsync(flood, cancel);
                sent += flood.Length;
            }
        });
        Assert.Equal(0, answer.Status);
        Assert.True(answer.Body.IsEmpty);
        Assert.True(sent < 64 << 20, $"the gateway got rid of {sent:N0} bytes"); // what kernels buffer, not what is read
    }

    [Fact]
    public async Task ExchangeAsync_declared_too_large_is_refused_unread()
    {
        GatewayAnswer answer = await AskAsync((stream, _) =>
            stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {HttpAnswer.MaxBytes + 1}\r\n\r\n"), Cancel).AsTask());
        Assert.Equal(0, answer.Status);
    }

    [Fact]
    public async Task ExchangeAsync_slow_drip_ends_with_patience()
    {
        GatewayAnswer answer = await AskAsync(async (stream, cancel) =>
        {
            while (true)
            {
                await stream.WriteAsync("H"u8.ToArray(), cancel);
                await Task.Delay(20, cancel); // each byte comes well within any timeout of a single read
            }
        });
        Assert.Equal(0, answer.Status);
    }

    [Fact]
    public async Task ExchangeAsync_connection_refused_is_no_answer()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        Endpoint nobody = Endpoint.From((IPEndPoint)listener.LocalEndpoint);
        listener.Stop();
        Assert.Equal(0, (await GatewayHttp.ExchangeAsync(new HttpExchange(1, nobody, "GET / HTTP/1.1\r\n\r\n"u8.ToArray()), Cancel)).Status);
    }

    private static async Task<GatewayAnswer> AskAsync(Func<NetworkStream, CancellationToken, Task> serve)
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        Task serving = ServeAsync();
        Endpoint host = Endpoint.From((IPEndPoint)listener.LocalEndpoint);
        GatewayAnswer answer = await GatewayHttp.ExchangeAsync(new HttpExchange(7, host, "GET / HTTP/1.1\r\n\r\n"u8.ToArray()), Cancel);
        await stop.CancelAsync();
        await serving;
        return answer;

        async Task ServeAsync()
        {
            using TcpClient client = await listener.AcceptTcpClientAsync(Cancel);
            try
            {
                await serve(client.GetStream(), stop.Token);
                await Task.Delay(Timeout.Infinite, stop.Token); // never closes by itself
            }
            catch (Exception e) when (e is IOException or OperationCanceledException)
            {
                // The other side had enough.
            }
        }
    }
}
