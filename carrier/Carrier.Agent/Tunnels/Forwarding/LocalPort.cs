using System.Net;
using System.Net.Sockets;
using Carrier.Agent.State;

namespace Carrier.Agent.Tunnels.Forwarding;

/// <summary>A listening TCP port of this machine and the connections that came in through it. Disposing ends them all.</summary>
internal sealed class LocalPort : IAsyncDisposable
{
    private const int Backlog = 1_024;

    /// <summary>How long accepting rests after the system refused it, for want of file descriptors say.</summary>
    private static readonly TimeSpan AcceptRest = TimeSpan.FromMilliseconds(200);

    private readonly Socket _socket;
    private readonly Func<SocketEnd, CancellationToken, Task> _serve;
    private readonly CancellationTokenSource _stopping = new();
    private readonly SemaphoreSlim _places = new(TunnelLimits.MaxLocalConnections);
    private readonly OwnedTasks _connections = new();
    private readonly Task _accepting;

    private LocalPort(Socket socket, Func<SocketEnd, CancellationToken, Task> serve)
    {
        _socket = socket;
        _serve = serve;
        _accepting = Task.Run(AcceptAsync);
    }

    public IPEndPoint Address => (IPEndPoint)_socket.LocalEndPoint!;

    /// <param name="serve">Runs one connection to its end; the socket is disposed behind it.</param>
    /// <exception cref="AgentException">The port is taken, or not to be had.</exception>
    public static LocalPort Open(string bind, int port, Func<SocketEnd, CancellationToken, Task> serve)
    {
        Socket socket = Bind(bind, port, SocketType.Stream, ProtocolType.Tcp);
        socket.Listen(Backlog);
        return new LocalPort(socket, serve);
    }

    /// <exception cref="AgentException">The port is taken, or not to be had.</exception>
    public static Socket Bind(string bind, int port, SocketType type, ProtocolType protocol)
    {
        if (!IPAddress.TryParse(bind, out IPAddress? address))
        {
            throw new AgentException(ExitCode.Usage, $"'{bind}' is no address to bind: give one of this machine, such as 127.0.0.1.");
        }

        var socket = new Socket(address.AddressFamily, type, protocol);
        try
        {
            socket.Bind(new IPEndPoint(address, port));
            return socket;
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw new AgentException(ExitCode.Failure, $"{bind}:{port} cannot be opened: {e.Message}. Choose another port, or 0 for a free one.", e);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        _socket.Dispose();
        await _accepting.ConfigureAwait(false);
        await _connections.WhenEndedAsync().ConfigureAwait(false);
        _places.Dispose();
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                await _places.WaitAsync(_stopping.Token).ConfigureAwait(false);
                Socket connection = await AcceptOneAsync().ConfigureAwait(false);
                _connections.Begin(() => RunAsync(connection));
            }
        }
        catch (OperationCanceledException)
        {
            // Disposed.
        }
    }

    private async Task<Socket> AcceptOneAsync()
    {
        while (true)
        {
            try
            {
                return await _socket.AcceptAsync(_stopping.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                await Task.Delay(AcceptRest, _stopping.Token).ConfigureAwait(false);
            }
        }
    }

    private async Task RunAsync(Socket connection)
    {
        try
        {
            var end = new SocketEnd(connection);
            await using (end.ConfigureAwait(false))
            {
                await _serve(end, _stopping.Token).ConfigureAwait(false);
            }
        }
        catch (SocketException)
        {
            connection.Dispose(); // it was gone before it was looked at
        }
        finally
        {
            _places.Release();
        }
    }
}
