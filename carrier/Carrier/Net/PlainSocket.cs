using System.Net;
using System.Net.Sockets;
using Carrier.Core;

namespace Carrier.Net;

/// <summary>One datagram a system call, through the portable socket: Windows, macOS, and Linux where nothing better is allowed.</summary>
internal sealed class PlainSocket(Socket socket, SocketCounters counters) : DatagramSocket(socket, counters)
{
    // Kept and rewritten in place, so that no datagram costs an allocation.
    private readonly SocketAddress _from = new(socket.AddressFamily);
    private readonly SocketAddress _to = new(socket.AddressFamily);

    public override SocketKind Kind => SocketKind.Plain;

    /// <inheritdoc/>
    /// <remarks>The portable call does not tell a truncated datagram from one that just fits, so one that fills the slab counts as truncated.</remarks>
    public override bool TryReceive(Span<byte> slab, out Endpoint remote, out int bytes, out int segmentBytes)
    {
        for (int skipped = 0; skipped < MaxSkippedPerReceive; skipped++)
        {
            try
            {
                // Asking first costs a call, but an empty socket would otherwise cost an exception.
                if (!Socket.Poll(0, SelectMode.SelectRead))
                {
                    break;
                }

                _from.Size = SocketAddress.GetMaximumAddressSize(_from.Family);
                bytes = Socket.ReceiveFrom(slab, SocketFlags.None, _from);
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.WouldBlock)
            {
                break;
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.MessageSize)
            {
                Counters.Truncated++;
                continue;
            }
            catch (SocketException)
            {
                Counters.ReceiveErrors++;
                continue;
            }

            if (bytes == slab.Length)
            {
                Counters.Truncated++;
                continue;
            }

            remote = SocketAddressBytes.Read(_from.Family, _from.Buffer.Span);
            segmentBytes = bytes;
            return true;
        }

        (remote, bytes, segmentBytes) = (default, 0, 0);
        return false;
    }

    public override SendResult Send(
        Endpoint to, ReadOnlySpan<byte> datagrams, int segmentBytes, out int sentBytes, EcnCodepoint ecn = EcnCodepoint.NotCapable)
    {
        SocketAddressBytes.Write(to, _to.Buffer.Span);
        sentBytes = 0;
        try
        {
            do
            {
                int bytes = Math.Min(segmentBytes, datagrams.Length - sentBytes);
                Socket.SendTo(datagrams.Slice(sentBytes, bytes), SocketFlags.None, _to);
                sentBytes += bytes;
            }
            while (sentBytes < datagrams.Length);
            return SendResult.Sent;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode == SocketError.WouldBlock ? SendResult.WouldBlock : SendResult.Failed;
        }
    }
}
