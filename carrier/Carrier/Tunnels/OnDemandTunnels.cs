using System.Threading.Channels;
using Carrier.Core;

namespace Carrier.Tunnels;

/// <summary>Tunnels to homes of peers, while the device has no UDP: opened when the machine wants one, closed when no session has gone through it for a while.</summary>
/// <param name="pathsInUse">Tells where the paths of sessions lead.</param>
/// <param name="carry">Opens a tunnel to an endpoint and carries until it breaks or is cancelled; never throws for what the other side does.</param>
/// <param name="lookInterval">How often it is looked which ones a session goes through; one that none did twice in a row is closed.</param>
internal sealed class OnDemandTunnels(Func<Task<HashSet<Endpoint>>> pathsInUse, Func<Endpoint, CancellationToken, Task> carry, TimeSpan lookInterval)
{
    /// <summary>Tunnels at once; what is wanted beyond waits for a dial to want it again.</summary>
    public const int MaxTunnels = 8;

    private readonly Channel<Endpoint> _wanted = Channel.CreateBounded<Endpoint>(new BoundedChannelOptions(MaxTunnels) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly Dictionary<Endpoint, Open> _open = [];
    private int _count;

    /// <summary>Tunnels there are. Any thread.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Wants one; dropped when too many wait. Any thread.</summary>
    public void Want(Endpoint home) => _ = _wanted.Writer.TryWrite(home);

    /// <summary>Opens and closes until cancelled; all are closed then.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            Task look = Task.Delay(lookInterval, cancellationToken);
            Task<bool> wants = _wanted.Reader.WaitToReadAsync(cancellationToken).AsTask();
            while (true)
            {
                _ = await Task.WhenAny(wants, look).ConfigureAwait(false);
                cancellationToken.ThrowIfCancellationRequested();
                if (wants.IsCompleted)
                {
                    OpenWanted(cancellationToken);
                    wants = _wanted.Reader.WaitToReadAsync(cancellationToken).AsTask();
                }

                if (look.IsCompleted)
                {
                    await CloseIdleAsync().ConfigureAwait(false);
                    look = Task.Delay(lookInterval, cancellationToken);
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or CarrierException)
        {
            return; // UDP is back, or the node is disposed
        }
        finally
        {
            foreach (Endpoint home in _open.Keys.ToArray())
            {
                await CloseAsync(home).ConfigureAwait(false);
            }

            Volatile.Write(ref _count, 0);
        }
    }

    private void OpenWanted(CancellationToken cancellationToken)
    {
        while (_wanted.Reader.TryRead(out Endpoint home))
        {
            bool isOver = _open.TryGetValue(home, out Open? before) && before.Run.IsCompleted;
            if (isOver)
            {
                before!.Stop.Dispose();
                _ = _open.Remove(home);
            }

            if (_open.Count < MaxTunnels && !_open.ContainsKey(home))
            {
                var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                _open.Add(home, new Open(stop, carry(home, stop.Token)));
            }
        }

        Volatile.Write(ref _count, _open.Count);
    }

    private async Task CloseIdleAsync()
    {
        HashSet<Endpoint> inUse = await pathsInUse().ConfigureAwait(false);
        foreach ((Endpoint home, Open open) in _open.ToArray())
        {
            bool isIdle = !inUse.Contains(home);
            if (open.Run.IsCompleted || (isIdle && open.WasIdle))
            {
                await CloseAsync(home).ConfigureAwait(false);
            }

            open.WasIdle = isIdle;
        }

        Volatile.Write(ref _count, _open.Count);
    }

    private async Task CloseAsync(Endpoint home)
    {
        _ = _open.Remove(home, out Open? open);
        await open!.Stop.CancelAsync().ConfigureAwait(false);
        await open.Run.ConfigureAwait(false);
        open.Stop.Dispose();
    }

    private sealed class Open(CancellationTokenSource stop, Task run)
    {
        public CancellationTokenSource Stop => stop;

        public Task Run => run;

        public bool WasIdle { get; set; }
    }
}
