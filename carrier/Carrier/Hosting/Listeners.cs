using Carrier.Core;
using Carrier.Driving;
using Carrier.Node;
using Microsoft.Extensions.Logging;

namespace Carrier.Hosting;

/// <summary>The protocols a node listens to and the handlers at work. Owns every handler's task.</summary>
internal sealed class Listeners(ILogger logger) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Func<CarrierSession, CancellationToken, Task>> _handlers = [];
    private readonly Dictionary<SessionDriver, Task> _running = [];
    private readonly CancellationTokenSource _stop = new();

    public bool TryAdd(string protocol, Func<CarrierSession, CancellationToken, Task> handler)
    {
        lock (_lock)
        {
            return _handlers.TryAdd(protocol, handler);
        }
    }

    public void Remove(string protocol)
    {
        lock (_lock)
        {
            _ = _handlers.Remove(protocol);
        }
    }

    /// <summary>Hands a session to its handler, where the application wakes up. Called on the network thread.</summary>
    public void Begin(Instant now, SessionDriver session)
    {
        lock (_lock)
        {
            if (_stop.IsCancellationRequested)
            {
                session.Close(now, NodeCloseCode.NodeStopped, "the node stops");
                return;
            }

            if (!_handlers.TryGetValue(session.Session.Protocol, out Func<CarrierSession, CancellationToken, Task>? handler))
            {
                session.Close(now, NodeCloseCode.ProtocolNotSpoken, "no such protocol here");
                return;
            }

            Awaited<CarrierSession> start = session.NewAwaited<CarrierSession>();
            _running.Add(session, RunAsync(session, start.Task, handler));
            _ = start.TrySucceed(session.Session);
        }
    }

    /// <summary>Cancels the handlers' token.</summary>
    public Task CancelAsync() => _stop.CancelAsync();

    /// <summary>Waits for every handler's end.</summary>
    public Task WhenEndedAsync()
    {
        lock (_lock)
        {
            return Task.WhenAll(_running.Values);
        }
    }

    /// <summary>Only after every handler's end.</summary>
    public void Dispose() => _stop.Dispose();

    private async Task RunAsync(SessionDriver driver, Task<CarrierSession> start, Func<CarrierSession, CancellationToken, Task> handler)
    {
        await HandleAsync(await start.ConfigureAwait(false), handler).ConfigureAwait(false);
        lock (_lock)
        {
            _ = _running.Remove(driver);
        }
    }

    private async Task HandleAsync(CarrierSession session, Func<CarrierSession, CancellationToken, Task> handler)
    {
        await using (session.ConfigureAwait(false))
        {
            try
            {
                await handler(session, _stop.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return; // the node stops
            }
            catch (CarrierException) when (session.Closed.IsCompleted)
            {
                return; // the peer went away: the handler met the end of its session
            }
#pragma warning disable CA1031 // the shell's edge: what the application's handler throws ends its session and no more
            catch (Exception e)
#pragma warning restore CA1031
            {
                NodeLog.HandlerFailed(logger, session.Protocol, e);
                await session.CloseAsync(NodeCloseCode.HandlerFailed, "the handler failed").ConfigureAwait(false);
            }
        }
    }
}
