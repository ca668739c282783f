using System.Net.Sockets;
using Carrier.Core;
using Carrier.Nat;

namespace Carrier.Tunnels;

/// <summary>Asks a seed over plain UDP, from a socket of its own, whether UDP works now: a STUN Binding request, sent three times.</summary>
internal static class UdpProbe
{
    private static readonly TimeSpan Gap = TimeSpan.FromMilliseconds(350);
    private const int Sends = 3;

    /// <summary>Whether an answer to this very request came within a second.</summary>
    public static async Task<bool> AnswersAsync(Endpoint seed, CancellationToken cancellationToken)
    {
        byte[] transaction = new byte[StunMessage.TransactionIdBytes];
        SystemRandomSource.Shared.Fill(transaction);
        byte[] request = new byte[StunMessage.HeaderBytes];
        byte[] answer = new byte[StunServer.MaxAnswerBytes];
        _ = StunMessage.WriteBindingRequest(request, transaction);
        try
        {
            using Socket socket = new(seed.Family, SocketType.Dgram, ProtocolType.Udp);
            await socket.ConnectAsync(seed.ToIPEndPoint(), cancellationToken).ConfigureAwait(false);
            for (int i = 0; i < Sends; i++)
            {
                _ = await socket.SendAsync(request, cancellationToken).ConfigureAwait(false);
                using CancellationTokenSource wait = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                wait.CancelAfter(Gap);
                try
                {
                    int bytes = await socket.ReceiveAsync(answer, wait.Token).ConfigureAwait(false);
                    if (IsAnswer(answer.AsSpan(0, bytes), transaction))
                    {
                        return true;
                    }
                }
                catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
                {
                    continue; // nothing yet
                }
            }
        }
        catch (SocketException)
        {
            return false; // refused, or no route
        }

        return false;
    }

    private static bool IsAnswer(ReadOnlySpan<byte> datagram, ReadOnlySpan<byte> transaction) =>
        StunMessage.TryParse(datagram, out StunMessage message) && message.Class == StunClass.Success && message.TransactionId.SequenceEqual(transaction);
}
