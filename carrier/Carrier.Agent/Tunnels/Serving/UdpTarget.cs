using System.Net;
using System.Net.Sockets;

namespace Carrier.Agent.Tunnels.Serving;

/// <summary>The socket a served UDP flow speaks to its target with; a port of its own for each flow, so that the target can tell them apart.</summary>
internal sealed class UdpTarget : IDisposable
{
    private readonly Socket _socket;

    private UdpTarget(Socket socket) => _socket = socket;

    public static async ValueTask<UdpTarget> ConnectAsync(EndPoint target, CancellationToken cancellationToken)
    {
        try
        {
            IPEndPoint address = target as IPEndPoint ?? await ResolveAsync((DnsEndPoint)target, cancellationToken).ConfigureAwait(false);
            var socket = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            await socket.ConnectAsync(address, cancellationToken).ConfigureAwait(false);
            return new UdpTarget(socket);
        }
        catch (SocketException e)
        {
            throw new IOException(e.Message, e);
        }
    }

    public async ValueTask SendAsync(ReadOnlyMemory<byte> payload, CancellationToken cancellationToken)
    {
        try
        {
            _ = await _socket.SendAsync(payload, SocketFlags.None, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Nobody there, or no room: lost, as datagrams are.
        }
    }

    /// <summary>Gives what the target sends to the flow, until cancelled.</summary>
    public async Task ReceiveAsync(DatagramFlow flow, CancellationToken cancellationToken)
    {
        byte[] datagram = new byte[TunnelLimits.MaxDatagramBytes];
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                int bytes = await _socket.ReceiveAsync(datagram, SocketFlags.None, cancellationToken).ConfigureAwait(false);
                flow.Send(datagram.AsSpan(0, bytes));
            }
            catch (SocketException)
            {
                // ICMP said that nobody is there; it may come back.
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    public void Dispose() => _socket.Dispose();

    private static async ValueTask<IPEndPoint> ResolveAsync(DnsEndPoint name, CancellationToken cancellationToken)
    {
        IPAddress[] addresses = await Dns.GetHostAddressesAsync(name.Host, cancellationToken).ConfigureAwait(false);
        return addresses.Length > 0 ? new IPEndPoint(addresses[0], name.Port) : throw new IOException($"'{name.Host}' has no address.");
    }
}
