using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Carrier.Lab.Probe;

/// <summary>A UDP socket that speaks the probe server's lines.</summary>
internal sealed class ProbeSocket(Socket socket) : IDisposable
{
    /// <summary>An answer takes 40 ms on an idle machine; a busy one gets patience, since silence is read as "filtered".</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);

    private const int Tries = 2;

    private readonly byte[] _buffer = new byte[1500];

    public int LocalPort => ((IPEndPoint)socket.LocalEndPoint!).Port;

    public async Task SendAsync(string text, EndPoint to, CancellationToken cancellation) =>
        await socket.SendToAsync(Encoding.ASCII.GetBytes(text), to, cancellation);

    /// <summary>The next datagram, or null when <paramref name="patience"/> ran out.</summary>
    public async Task<(string Text, IPEndPoint From)?> ReceiveAsync(TimeSpan patience, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(patience < TimeSpan.Zero ? TimeSpan.Zero : patience);
        try
        {
            SocketReceiveFromResult received = await socket.ReceiveFromAsync(_buffer, socket.LocalEndPoint!, limit.Token);
            return (Encoding.ASCII.GetString(_buffer, 0, received.ReceivedBytes), (IPEndPoint)received.RemoteEndPoint);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>Asks the server which address it sees, the answer to come from <paramref name="replyFrom"/>; null when no answer got in.</summary>
    public async Task<IPEndPoint?> AskAsync(IPEndPoint server, ReplyFrom replyFrom, CancellationToken cancellation)
    {
        for (int i = 0; i < Tries; i++)
        {
            string nonce = Guid.NewGuid().ToString("N");
            await SendAsync($"probe {nonce} {replyFrom}", server, cancellation);
            DateTime deadline = DateTime.UtcNow + Patience;
            while (await ReceiveAsync(deadline - DateTime.UtcNow, cancellation) is { } answer)
            {
                if (answer.Text.Split(' ') is ["seen", var echoed, var seen] && echoed == nonce)
                {
                    return IPEndPoint.Parse(seen);
                }
            }
        }

        return null;
    }

    public void Dispose() => socket.Dispose();
}
