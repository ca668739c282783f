using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using Carrier.Core;
using Carrier.Tunnels;
using Microsoft.Extensions.Logging;

namespace Carrier.Net;

/// <summary>
/// The thread that owns a node's sockets and drives its machine: receive, run posted work, keep deadlines, transmit, sleep.
/// A subclass takes the machine's effects to the application in <see cref="DrainEffects"/>, where no application code may run.
/// </summary>
/// <remarks>
/// Whoever has the turn drives the machine. The thread lets go of it only to sleep, and to do short work of the application's that a turn made ready
/// (<see cref="TryLend"/>: should that take long, another thread drives from then on); meanwhile an application's thread may take it
/// (<see cref="RunOrPost"/>) to do its own work and send what comes of it, which saves waking this thread.
/// </remarks>
internal abstract partial class NetworkThread : IAsyncDisposable
{
    private const int Awake = 0;
    private const int Asleep = 1;

    private readonly IDatagramMachine _machine;
    private readonly DatagramSockets _sockets;
    private readonly ProbeSockets _probes;
    private readonly SocketWaiter _waiter;
    private readonly SpinBudget _spin;
    private readonly DriverSeat _seat;
    private readonly ILogger _logger;
    private readonly NetworkWorkQueue _work = new();

    // Guards the machine, the sockets and all below. Taken once a wake-up, never a packet.
    private readonly Lock _turn = new();
    private readonly TaskCompletionSource<Exception?> _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly DatagramInput _input;
    private readonly DatagramOutput _output;

    // When the sleeping thread wakes by itself, and whether it waits for room to send.
    private Instant _sleepsUntil;
    private bool _awaitsRoom;

    // Whether the waiter knows which sockets have something.
    private bool _hasWaited;

    // Whether another thread's turn left something to do.
    private bool _hasMore;

    private int _sleep = Awake;
    private Exception? _fault;
    private bool _isRunning;
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
        _probes = new ProbeSockets(sockets);
        _waiter = SocketWaiter.For(sockets);
        _input = new DatagramInput(machine, sockets, _probes, _waiter);
        _output = new DatagramOutput(machine, sockets, _probes, Tunnels);
        _spin = new SpinBudget(spinBeforeBlocking);
        _seat = new DriverSeat(Run);
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
        new Thread(Main) { Name = "carrier-net", IsBackground = true }.UnsafeStart();
    }

    /// <summary>Has <paramref name="work"/> run on the network thread, or abandoned when that has stopped. Any thread, no allocation, a system call only if it sleeps.</summary>
    public void Post(NetworkWork work)
    {
        _work.Push(work);
        WakeIfAsleep();
    }

    /// <summary>Runs <paramref name="work"/> here and now, and sends what comes of it, where nobody else drives the machine; else posts it. Any thread, no allocation.</summary>
    public void RunOrPost(NetworkWork work)
    {
        if (_turn.IsHeldByCurrentThread || !_turn.TryEnter())
        {
            Post(work);
            return;
        }

        bool isRunning = _isRunning;
        try
        {
            if (isRunning)
            {
                RunAsGuest(work);
            }
        }
        finally
        {
            _turn.Exit();
        }

        if (isRunning)
        {
            OnTurnEnded();
        }
        else
        {
            Post(work);
        }
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

    /// <summary>Closes a socket that the machine has no more use for.</summary>
    protected void CloseSocket(ushort socket) => _probes.Close(socket);

    /// <summary>Takes what the machine wants done or told, after it took input and again after it transmitted.</summary>
    /// <returns>True when that changed the machine, so that it may have more to send or another deadline.</returns>
    protected abstract bool DrainEffects(Instant now);

    /// <summary>Whether this thread drives the machine now.</summary>
    protected bool HasTurn => _turn.IsHeldByCurrentThread;

    /// <summary>Has the driver look again at what it has to do, if it sleeps. Any thread.</summary>
    protected void WakeIfAsleep()
    {
        // Both sides fence between their write and their read, so one of them sees the other; one claim, one system call.
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _sleep) == Asleep && Interlocked.CompareExchange(ref _sleep, Awake, Asleep) == Asleep)
        {
            _waiter.Wake();
        }
    }

    /// <summary>Called at the end of a turn by whoever had it, after letting go of it where nothing is left to do: the moment to wake the application.</summary>
    protected virtual void OnTurnEnded()
    {
    }

    /// <summary>When <see cref="HandleApplicationTimeout"/> is to be called; whoever brings it forward is to <see cref="WakeIfAsleep"/>.</summary>
    protected virtual Instant ApplicationDeadline => Instant.Never;

    /// <summary>Called by the driver within a turn when the application's deadline has come.</summary>
    protected virtual void HandleApplicationTimeout(Instant now)
    {
    }

    /// <summary>Whether a turn made work of the application's ready that is likely over before another thread would have begun with it.</summary>
    protected virtual bool HasShortWork => false;

    /// <summary>Does that work. It runs without the turn.</summary>
    protected virtual void RunShortWork()
    {
    }

    /// <summary>Called when the thread has done its last turn and posted work is abandoned, by whichever thread ends it.</summary>
    protected virtual void OnStopped()
    {
    }

    private void Main()
    {
        Run();
        _seat.Relieve();
    }

    /// <summary>Drives until the end, or until the other thread does.</summary>
    private void Run()
    {
        Exception? fault = null;
        _turn.Enter();
        _isRunning = true;
        try
        {
            bool isLast;
            do
            {
                if (_fault is not null)
                {
                    ExceptionDispatchInfo.Throw(_fault);
                }

                isLast = _isStopping;
                bool isIdle = Turn();
                if (isIdle && !isLast)
                {
                    if (HasShortWork && !TryLend())
                    {
                        return;
                    }

                    Sleep();
                }
                else
                {
                    OnTurnEnded(); // with more to do: whoever it wakes posts
                }
            }
            while (!isLast);
        }
#pragma warning disable CA1031 // the shell's edge: whatever escaped the machine ends this node and no more
        catch (Exception e) when (HasTurn) // without it, it is the application's, and unhandled as on any thread of its own
#pragma warning restore CA1031
        {
            fault = e;
            LogFault(_logger, e);
        }

        Close(fault);
        _turn.Exit();
        OnTurnEnded();
    }

    /// <summary>Does the application's work between two turns; false when another thread drives since.</summary>
    private bool TryLend()
    {
        _turn.Exit();
        long loan = _seat.Lend();
        RunShortWork();
        bool isBack = _seat.TryReturn(loan);
        if (isBack)
        {
            _turn.Enter();
        }

        return isBack;
    }

    /// <summary>Another thread's turn: its work and what that has to send, but nothing of what others posted or sent to us.</summary>
    private void RunAsGuest(NetworkWork work)
    {
        bool isDone;
        try
        {
            Instant now = MonotonicClock.Now;
            work.Run(now);
            _ = DrainEffects(now);
            isDone = _output.Transmit(now) & !DrainEffects(now);
        }
#pragma warning disable CA1031 // as in Run: it ends this node, not the caller
        catch (Exception e)
#pragma warning restore CA1031
        {
            _fault = e;
            isDone = false;
        }

        // The thread sleeps by what it knew before.
        _hasMore |= !isDone;
        if (_hasMore || (_output.IsBlocked && !_awaitsRoom) || _probes.HasChanged || _machine.NextDeadline < _sleepsUntil)
        {
            WakeIfAsleep();
        }
    }

    /// <summary>Goes once around; true when nothing is left to do before a packet, a deadline or a post.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool Turn()
    {
        _hasMore = false;
        bool isDrained = _input.Receive(_hasWaited);
        _hasWaited = false;
        Instant now = MonotonicClock.Now;
        _work.Run(now);
        if (_machine.NextDeadline <= now)
        {
            _machine.HandleTimeout(now);
        }

        if (ApplicationDeadline <= now)
        {
            HandleApplicationTimeout(now);
        }

        _ = DrainEffects(now);
        bool isSent = _output.Transmit(now);
        bool isChanged = DrainEffects(now);
        return isDrained && isSent && !isChanged;
    }

    private void Sleep()
    {
        if (_probes.HasChanged)
        {
            _probes.HasChanged = false;
            _waiter.Watch(_probes.All);
        }

        int writer = _output.Writer;
        Instant start = MonotonicClock.Now;
        _awaitsRoom = _output.IsBlocked;
        _sleepsUntil = Instant.Min(_machine.NextDeadline, ApplicationDeadline);
        Interlocked.Exchange(ref _sleep, Asleep);

        // Looked at only after the mark is visible: whoever posts, or changes the machine, from now on sees it and wakes us.
        if (_work.IsEmpty && !_isStopping && !_hasMore)
        {
            _turn.Exit();
            OnTurnEnded();
            if (!_spin.IsWorthwhile || !Spin(Instant.Min(_sleepsUntil, start + _spin.Limit), writer))
            {
                _ = _waiter.Wait(Remaining(_sleepsUntil), writer);
                _spin.Learn(MonotonicClock.Now - start);
            }

            _turn.Enter();
            _hasWaited = true;
        }

        Volatile.Write(ref _sleep, Awake);
    }

    private static TimeSpan Remaining(Instant deadline)
    {
        if (deadline == Instant.Never)
        {
            return Timeout.InfiniteTimeSpan;
        }

        Instant now = MonotonicClock.Now;
        return deadline > now ? deadline - now : TimeSpan.Zero;
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

            _ = Thread.Yield(); // the application may share this core
        }

        return false;
    }

    private void Close(Exception? fault)
    {
        _isRunning = false;
        _work.Close();
        OnStopped();
        _seat.Dispose();
        _probes.Dispose();
        _sockets.Dispose();
        _waiter.Dispose();
        _stopped.TrySetResult(fault);
    }

    [LoggerMessage(100, LogLevel.Critical, "The network thread stopped on an unexpected error; this node is down.")]
    private static partial void LogFault(ILogger logger, Exception exception);
}
