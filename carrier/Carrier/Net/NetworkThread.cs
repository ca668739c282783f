using System.Runtime.CompilerServices;
using Carrier.Core;
using Carrier.Tunnels;
using Microsoft.Extensions.Logging;

namespace Carrier.Net;

/// <summary>
/// The one thread that owns a node's sockets and drives its machine: receive, run posted work, keep deadlines, transmit, sleep.
/// A subclass takes the machine's effects to the application in <see cref="DrainEffects"/>, where no application code may run.
/// </summary>
internal abstract partial class NetworkThread : IAsyncDisposable
{
    /// <summary>Batches received, and batches sent, before the other direction gets its turn: at most 1 MB each.</summary>
    protected internal const int MaxBatchesPerTurn = 16;

    private const int Awake = 0;
    private const int Asleep = 1;

    private readonly IDatagramMachine _machine;
    private readonly DatagramSockets _sockets;
    private readonly SocketWaiter _waiter;
    private readonly SpinBudget _spin;
    private readonly ILogger _logger;
    private readonly NetworkWorkQueue _work = new();
    private readonly TaskCompletionSource<Exception?> _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly byte[] _received = GC.AllocateUninitializedArray<byte>(DatagramSocket.SlabBytes, pinned: true);
    private readonly byte[] _toSend = GC.AllocateUninitializedArray<byte>(DatagramSocket.SlabBytes, pinned: true);

    // What of _toSend the kernel had no room for. Nothing else is sent before it, in either address family.
    private Transmit _blocked;
    private int _blockedOffset;
    private bool _isBlocked;

    private int _sleep = Awake;
    private bool _isStarted;
    private volatile bool _isStopping;

    /// <summary>Takes ownership of the sockets.</summary>
    /// <param name="machine">Touched by the network thread alone once <see cref="Start"/> was called.</param>
    /// <param name="sockets">Closed when the thread ends.</param>
    /// <param name="spinBeforeBlocking">How long to look for work before sleeping while traffic is brisk; it trades a core's idle time for some 40 µs a round trip. Zero is off.</param>
    /// <param name="logger">Where a fault goes.</param>
    protected NetworkThread(IDatagramMachine machine, DatagramSockets sockets, TimeSpan spinBeforeBlocking, ILogger logger)
    {
        _machine = machine;
        _sockets = sockets;
        _waiter = SocketWaiter.For(sockets);
        _spin = new SpinBudget(spinBeforeBlocking);
        _logger = logger;
    }

    public DatagramSockets Sockets => _sockets;

    /// <summary>What stands in for UDP to some endpoints. The network thread only.</summary>
    protected TunnelTable Tunnels { get; } = new();

    /// <summary>Completes when the thread has ended: null after <see cref="DisposeAsync"/>, else the exception that stopped it. Never faults itself.</summary>
    public Task<Exception?> Stopped => _stopped.Task;

    public void Start()
    {
        ObjectDisposedException.ThrowIf(_isStopping, this);
        _isStarted = true;
        new Thread(Run) { Name = "carrier-net", IsBackground = true }.UnsafeStart();
    }

    /// <summary>Has <paramref name="work"/> run on the network thread, or abandoned when that has stopped. Any thread, no allocation, a system call only if it sleeps.</summary>
    public void Post(NetworkWork work)
    {
        _work.Push(work);
        WakeIfAsleep();
    }

    /// <summary>Lets the thread finish its turn, with work posted before and what that makes the machine send, and waits for its end.</summary>
    public async ValueTask DisposeAsync()
    {
        _isStopping = true;
        if (_isStarted)
        {
            WakeIfAsleep();
        }
        else
        {
            Close(null);
        }

        await _stopped.Task.ConfigureAwait(false);
        GC.SuppressFinalize(this);
    }

    /// <summary>Takes what the machine wants done or told, after it took input and again after it transmitted.</summary>
    /// <returns>True when that changed the machine, so that it may have more to send or another deadline.</returns>
    protected abstract bool DrainEffects(Instant now);

    /// <summary>Called when the thread has done its last turn and posted work is abandoned, by whichever thread ends it.</summary>
    protected virtual void OnStopped()
    {
    }

    private void Run()
    {
        Exception? fault = null;
        try
        {
            bool isLast;
            do
            {
                isLast = _isStopping;
                bool isIdle = Turn();
                if (isIdle && !isLast)
                {
                    Sleep();
                }
            }
            while (!isLast);
        }
#pragma warning disable CA1031 // the shell's edge: whatever escaped the machine ends this node and no more
        catch (Exception e)
#pragma warning restore CA1031
        {
            fault = e;
            LogFault(_logger, e);
        }

        Close(fault);
    }

    /// <summary>Goes once around; true when nothing is left to do before a packet, a deadline or a post.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool Turn()
    {
        bool isDrained = Receive();
        Instant now = MonotonicClock.Now;
        _work.Run(now);
        if (_machine.NextDeadline <= now)
        {
            _machine.HandleTimeout(now);
        }

        _ = DrainEffects(now);
        bool isSent = Transmit(now);
        bool isChanged = DrainEffects(now);
        return isDrained && isSent && !isChanged;
    }

    /// <summary>Hands received batches to the machine; false when more may be waiting.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool Receive()
    {
        bool isDrained = true;
        for (int index = 0; index < _sockets.Count; index++)
        {
            int batches = 0;
            while (batches < MaxBatchesPerTurn && _sockets.TryReceive(index, _received, out Endpoint remote, out int bytes, out int segmentBytes))
            {
                _machine.Handle(MonotonicClock.Now, remote, _received.AsSpan(0, bytes), segmentBytes, _sockets.ReceivedEcn(index));
                batches++;
            }

            isDrained &= batches < MaxBatchesPerTurn;
        }

        return isDrained;
    }

    /// <summary>Sends until the machine has nothing more or the kernel no room; false when the turn's share ended first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool Transmit(Instant now)
    {
        for (int batches = 0; batches < MaxBatchesPerTurn; batches++)
        {
            if (!_isBlocked)
            {
                if (!_machine.TryTransmit(now, _toSend, out _blocked))
                {
                    return true;
                }

                _blockedOffset = 0;
            }

            ReadOnlySpan<byte> rest = _toSend.AsSpan(_blockedOffset, _blocked.Bytes - _blockedOffset);
            if (Tunnels.TrySend(_blocked.Path.Remote, rest, _blocked.SegmentBytes))
            {
                _isBlocked = false;
                continue;
            }

            SendResult result = _sockets.Send(_blocked.Path.Remote, rest, _blocked.SegmentBytes, out int sentBytes, _blocked.Ecn);
            _blockedOffset += sentBytes;
            _isBlocked = result == SendResult.WouldBlock;
            if (_isBlocked)
            {
                return true;
            }
        }

        return false;
    }

    private void Sleep()
    {
        int writer = _isBlocked ? _sockets.IndexOf(_blocked.Path.Remote.Family) : SocketWaiter.NoWriter;
        Instant start = MonotonicClock.Now;
        Instant deadline = _machine.NextDeadline;
        if (_spin.IsWorthwhile && Spin(Instant.Min(deadline, start + _spin.Limit), writer))
        {
            return;
        }

        Interlocked.Exchange(ref _sleep, Asleep);

        // Looked at only after the mark is visible: whoever posts from now on sees it and wakes us.
        if (_work.IsEmpty && !_isStopping)
        {
            Instant now = MonotonicClock.Now;
            TimeSpan timeout = deadline == Instant.Never ? Timeout.InfiniteTimeSpan : deadline > now ? deadline - now : TimeSpan.Zero;
            _ = _waiter.Wait(timeout, writer);
            _spin.Learn(MonotonicClock.Now - start);
        }

        Volatile.Write(ref _sleep, Awake);
    }

    /// <summary>Looks for work without sleeping; true when some came.</summary>
    private bool Spin(Instant until, int writer)
    {
        while (MonotonicClock.Now < until)
        {
            if (!_work.IsEmpty || _isStopping || _waiter.Wait(TimeSpan.Zero, writer))
            {
                return true;
            }
        }

        return false;
    }

    private void WakeIfAsleep()
    {
        // Both sides fence between their write and their read, so one of them sees the other; one claim, one system call.
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _sleep) == Asleep && Interlocked.CompareExchange(ref _sleep, Awake, Asleep) == Asleep)
        {
            _waiter.Wake();
        }
    }

    private void Close(Exception? fault)
    {
        _work.Close();
        OnStopped();
        _sockets.Dispose();
        _waiter.Dispose();
        _stopped.TrySetResult(fault);
    }

    [LoggerMessage(100, LogLevel.Critical, "The network thread stopped on an unexpected error; this node is down.")]
    private static partial void LogFault(ILogger logger, Exception exception);
}
