using System.Net.Sockets;
using Carrier.Agent.State;
using Microsoft.Extensions.Logging;

namespace Carrier.Agent.Control;

/// <summary>Answers the commands that find this agent: accepts on <c>control.sock</c> and runs each request on the agent itself.</summary>
internal sealed partial class ControlServer : IAsyncDisposable
{
    /// <summary>Commands served at one time; more wait to be accepted.</summary>
    public const int MaxClients = 32;

    /// <summary>After an accept that failed, most likely for want of descriptors: what waits would fail again at once.</summary>
    private static readonly TimeSpan AcceptRest = TimeSpan.FromMilliseconds(100);

    private readonly AgentHome _home;
    private readonly IAgent _agent;
    private readonly ILogger _logger;
    private readonly Socket _socket;
    private readonly CancellationTokenSource _stopping = new();
    private readonly SemaphoreSlim _clients = new(MaxClients);
    private readonly Task _accepting;

    private ControlServer(AgentHome home, IAgent agent, ILogger logger)
    {
        _home = home;
        _agent = agent;
        _logger = logger;
        _socket = ControlSocket.Listen(home, MaxClients);
        _accepting = Task.Run(AcceptAsync);
    }

    /// <summary>Starts to listen; the home's lock must be held.</summary>
    public static ControlServer Start(AgentHome home, IAgent agent, ILogger logger) => new(home, agent, logger);

    /// <summary>Stops what commands are doing, waits for it, and removes the socket.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        _socket.Dispose();
        await _accepting.ConfigureAwait(false);
        for (int i = 0; i < MaxClients; i++)
        {
            await _clients.WaitAsync().ConfigureAwait(false);
        }

        File.Delete(_home.ControlSocket);
        _clients.Dispose();
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            try
            {
                await _clients.WaitAsync(_stopping.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            try
            {
                Socket client = await _socket.AcceptAsync(_stopping.Token).ConfigureAwait(false);
                // Owned by the semaphore: DisposeAsync waits until every client gave its place back.
                _ = ServeAsync(client);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                _clients.Release();
                return;
            }
            catch (SocketException e)
            {
                _clients.Release();
                LogAcceptFailed(_logger, e.SocketErrorCode);
                await Task.Delay(AcceptRest, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task ServeAsync(Socket client)
    {
        try
        {
            var connection = new ControlConnection(client);
            await using (connection.ConfigureAwait(false))
            {
                await ControlSession.RunAsync(connection, _agent, _stopping.Token).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is IOException or InvalidDataException or OperationCanceledException)
        {
            LogClientLost(_logger, e.Message);
        }
        catch (Exception e)
        {
            // The shell's edge: a fault in one command must not end the daemon and everybody else's.
            LogFault(_logger, e);
        }
        finally
        {
            _clients.Release();
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Accepting a command failed: {Error}")]
    private static partial void LogAcceptFailed(ILogger logger, SocketError error);

    [LoggerMessage(2, LogLevel.Debug, "A command went away: {Reason}")]
    private static partial void LogClientLost(ILogger logger, string reason);

    [LoggerMessage(3, LogLevel.Error, "A command met a fault")]
    private static partial void LogFault(ILogger logger, Exception fault);
}
