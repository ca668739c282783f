using System.Net.Sockets;
using Carrier.Nat.PortMapping;
using Carrier.Nat.PortMapping.Upnp;

namespace Carrier.Gateways;

/// <summary>One HTTP exchange with a gateway: connect to the address given and no other, send, read one answer, close. Nothing is followed, nothing kept.</summary>
internal static class GatewayHttp
{
    private const int FirstBufferBytes = 8192;

    /// <summary>What an exchange may take in all, however the bytes come: a gateway on the same link answers in milliseconds.</summary>
    public static TimeSpan Patience => TimeSpan.FromSeconds(1);

    /// <summary>The answer; status zero when there was none within <see cref="Patience"/> and <see cref="HttpAnswer.MaxBytes"/>.</summary>
    public static async Task<GatewayAnswer> ExchangeAsync(HttpExchange exchange, CancellationToken cancellationToken)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Patience);
        try
        {
            using TcpClient client = new(exchange.Host.Family) { NoDelay = true };
            await client.ConnectAsync(exchange.Host.ToIPEndPoint(), limit.Token).ConfigureAwait(false);
            NetworkStream stream = client.GetStream();
            await stream.WriteAsync(exchange.Request, limit.Token).ConfigureAwait(false);
            return await ReadAsync(exchange.Id, stream, limit.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return new GatewayAnswer(exchange.Id, 0, default); // refused, reset, or too slow: all the same to the machine
        }
    }

    private static async Task<GatewayAnswer> ReadAsync(ulong id, NetworkStream stream, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[FirstBufferBytes];
        int received = 0;
        while (true)
        {
            int bytes = await stream.ReadAsync(buffer.AsMemory(received), cancellationToken).ConfigureAwait(false);
            received += bytes;
            HttpProgress progress = HttpAnswer.Read(buffer.AsSpan(0, received), hasEnded: bytes == 0, out int status, out ReadOnlySpan<byte> body);
            if (progress != HttpProgress.Incomplete)
            {
                return progress == HttpProgress.Complete ? new GatewayAnswer(id, status, body.ToArray()) : new GatewayAnswer(id, 0, default);
            }

            if (received == buffer.Length)
            {
                if (received >= HttpAnswer.MaxBytes)
                {
                    return new GatewayAnswer(id, 0, default);
                }

                Array.Resize(ref buffer, Math.Min(buffer.Length * 2, HttpAnswer.MaxBytes));
            }
        }
    }
}

/// <summary>What an exchange brought.</summary>
/// <param name="Status">Zero when there was no usable answer.</param>
internal readonly record struct GatewayAnswer(ulong Id, int Status, ReadOnlyMemory<byte> Body);
