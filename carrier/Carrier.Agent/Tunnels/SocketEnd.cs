using System.Net;
using System.Net.Sockets;

namespace Carrier.Agent.Tunnels;

/// <summary>A TCP connection; owns its socket.</summary>
internal sealed class SocketEnd : LocalEnd
{
    private readonly Socket _socket;

    public SocketEnd(Socket socket)
    {
        _socket = socket;
        socket.NoDelay = true;
    }

    /// <exception cref="IOException">Nobody accepts there.</exception>
    public static async ValueTask<SocketEnd> ConnectAsync(EndPoint target, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(target, cancellationToken).ConfigureAwait(false);
            return new SocketEnd(socket);
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw new IOException(e.Message, e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public override async ValueTask WaitAsync(CancellationToken cancellationToken) =>
        await ReceiveAsync(Memory<byte>.Empty, cancellationToken).ConfigureAwait(false);

    public override async ValueTask<int> ReceiveAsync(Memory<byte> destination, CancellationToken cancellationToken)
    {
        try
        {
            return await _socket.ReceiveAsync(destination, SocketFlags.None, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            throw new IOException(e.Message, e);
        }
    }

    public override async ValueTask SendAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken)
    {
        try
        {
            while (!source.IsEmpty)
            {
                int sent = await _socket.SendAsync(source, SocketFlags.None, cancellationToken).ConfigureAwait(false);
                source = source[sent..];
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            throw new IOException(e.Message, e);
        }
    }

    public override ValueTask EndSendingAsync()
    {
        try
        {
            _socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            throw new IOException(e.Message, e);
        }

        return ValueTask.CompletedTask;
    }

    // A linger of zero is what makes TCP send RST.
    public override void Reset() => _socket.Close(timeout: 0);

    public override ValueTask DisposeAsync()
    {
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }
}
