using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Carrier.Core;
using Carrier.Core.Session.Streams;
using Carrier.Net;
using Carrier.Streams;

namespace Carrier.Driving;

/// <summary>The network thread's half of a stream: moves bytes between the application's two pipes and the session machine, as far as each has room.</summary>
/// <remarks>It is its own work item: every signal of the application posts it, and signals join while it is queued.</remarks>
internal sealed class StreamDriver : NetworkWork
{
    /// <summary>Bytes waiting in one pipe before its writer waits: the application ahead of the network thread, or behind it.</summary>
    private const int PauseBytes = 64 << 10;

    private const int ResumeBytes = PauseBytes / 2;

    /// <summary>Bytes moved to the application before it is told of them.</summary>
    private const int MaxBytesPerFlush = 512 << 10;

    private const long NotAsked = -1;

    private readonly SessionDriver _session;
    private readonly PipeReader _outgoing;
    private readonly PipeWriter _incoming;
    private ValueTask<FlushResult> _flush;
    private bool _isFlushPending;
    private bool _isWriteBlocked;
    private bool _isOutputDone;
    private bool _isInputDone;
    private StreamPriority _priority = StreamPriority.Default;

    // Told by the application's threads.
    private bool _wantsToHearOfRoom;
    private bool _isOutputCompleted;
    private long _resetAsked = NotAsked;
    private long _stopAsked = NotAsked;

    public StreamDriver(SessionDriver session, StreamId id, NodeThread thread)
    {
        _session = session;
        Id = id;
        Pipe outgoing = new(Options(thread));
        Pipe incoming = new(Options(thread));
        _outgoing = outgoing.Reader;
        _incoming = incoming.Writer;
        Stream = new CarrierStream(this, incoming.Reader, outgoing.Writer);
    }

    public StreamId Id { get; }

    public CarrierStream Stream { get; }

    /// <summary>As the application last said. Any thread.</summary>
    public StreamPriority Priority
    {
        get => _priority;
        set
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)value.Urgency, (uint)StreamPriority.LeastUrgent, nameof(value));
            _priority = value;
            _session.Post(new NetworkCall<bool>(_ =>
            {
                _session.Machine.SetPriority(Id, value);
                return true;
            }));
        }
    }

    /// <summary>Nothing moves any more, in either direction.</summary>
    public bool IsDone => _isOutputDone && _isInputDone;

    /// <summary>The application ended its output, and the machine has not yet taken all of it.</summary>
    public bool IsOutputEnding => Volatile.Read(ref _isOutputCompleted) && !_isOutputDone;

    /// <summary>The application flushed its output. Any thread.</summary>
    public void OnFlushed() => _session.RunOrPost(this);

    /// <summary>The application completed its output. Any thread.</summary>
    public void OnOutputCompleted()
    {
        Volatile.Write(ref _isOutputCompleted, true);
        _session.RunOrPost(this);
    }

    /// <summary>The application consumed input. Any thread.</summary>
    public void OnConsumed()
    {
        // Pairs with the fence in Flush: either it sees the room, or we see that it waits for it.
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _wantsToHearOfRoom))
        {
            _session.RunOrPost(this);
        }
    }

    /// <summary>The application reads no more. Any thread.</summary>
    public void OnInputCompleted(ulong code)
    {
        _ = Interlocked.CompareExchange(ref _stopAsked, (long)(code & long.MaxValue), NotAsked);
        _session.RunOrPost(this);
    }

    /// <summary>The application gives up sending. Any thread; the caller posts.</summary>
    public void AbortOutput(ulong code) => _ = Interlocked.CompareExchange(ref _resetAsked, (long)(code & long.MaxValue), NotAsked);

    /// <summary>The application gives up both ways. Any thread.</summary>
    public void Abort(ulong code)
    {
        AbortOutput(code);
        OnInputCompleted(code);
    }

    /// <summary>Moves what can be moved now.</summary>
    public void Pump(Instant now)
    {
        PumpOutgoing();
        PumpIncoming(now);
    }

    /// <summary>The machine has room again.</summary>
    public void OnWritable() => _isWriteBlocked = false;

    /// <summary>The peer gave up sending.</summary>
    public void OnReset(ulong code) =>
        EndInput(new CarrierException(CarrierError.StreamReset, $"The peer gave up this stream with code {code}.", code));

    /// <summary>The peer does not want what we send.</summary>
    public void OnStopSending(ulong code) =>
        EndOutput(new CarrierException(CarrierError.StreamReset, $"The peer stopped reading this stream with code {code}.", code));

    /// <summary>The session is over. Input that ended before stays readable to its end.</summary>
    public void End(CarrierException reason)
    {
        EndOutput(reason);
        EndInput(reason);
    }

    protected internal override void Run(Instant now) => _session.Pump(now, this);

    private static PipeOptions Options(NodeThread thread) => new(
        thread.Pool, new ContinuationScheduler(thread), new ContinuationScheduler(thread), PauseBytes, ResumeBytes, SlabMemoryPool.SlabBytes, useSynchronizationContext: false);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void PumpOutgoing()
    {
        long code = Volatile.Read(ref _resetAsked);
        if (code != NotAsked && !_isOutputDone)
        {
            _session.Machine.Reset(Id, (ulong)code);
            EndOutput(new CarrierException(CarrierError.StreamReset, "This stream was given up here.", (ulong)code));
        }

        while (!_isOutputDone && !_isWriteBlocked && _outgoing.TryRead(out ReadResult result))
        {
            ReadOnlySequence<byte> bytes = result.Buffer;
            long taken = Write(bytes);
            _isWriteBlocked = taken < bytes.Length;
            _outgoing.AdvanceTo(bytes.GetPosition(taken));
            if (result.IsCompleted && !_isWriteBlocked)
            {
                _session.Machine.Finish(Id);
                EndOutput(null);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private long Write(in ReadOnlySequence<byte> bytes)
    {
        long taken = 0;
        foreach (ReadOnlyMemory<byte> segment in bytes)
        {
            int written = _session.Machine.Write(Id, segment.Span);
            taken += written;
            if (written < segment.Length)
            {
                break;
            }
        }

        return taken;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void PumpIncoming(Instant now)
    {
        long code = Volatile.Read(ref _stopAsked);
        if (code != NotAsked && !_isInputDone)
        {
            _session.Machine.StopSending(now, Id, (ulong)code);
            EndInput(new CarrierException(CarrierError.StreamReset, "This stream was given up here.", (ulong)code));
        }

        while (!_isInputDone && IsFlushDone() && Fill(now, out bool finished))
        {
            if (finished)
            {
                EndInput(null);
            }
            else
            {
                Flush();
            }
        }
    }

    /// <summary>Moves bytes into the pipe, unflushed; false when there were none and the stream goes on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool Fill(Instant now, out bool finished)
    {
        int filled = 0;
        do
        {
            Span<byte> room = _incoming.GetSpan();
            int read = _session.Machine.Read(now, Id, room, out finished);
            _incoming.Advance(read);
            filled += read;
            if (read < room.Length)
            {
                break;
            }
        }
        while (!finished && filled < MaxBytesPerFlush);
        return finished || filled > 0;
    }

    private void Flush()
    {
#pragma warning disable CA2012 // kept until it is complete and consumed once, in IsFlushDone; nothing may wait on this thread
        _flush = _incoming.FlushAsync();
#pragma warning restore CA2012
        _isFlushPending = true;
        if (!_flush.IsCompleted)
        {
            Volatile.Write(ref _wantsToHearOfRoom, true);
            Interlocked.MemoryBarrier();
        }
    }

    private bool IsFlushDone()
    {
        if (_isFlushPending && _flush.IsCompleted)
        {
            _isFlushPending = false;
            Volatile.Write(ref _wantsToHearOfRoom, false);

            // A completed reader shows in the stop it asked for.
            _ = _flush.GetAwaiter().GetResult();
        }

        return !_isFlushPending;
    }

    private void EndOutput(CarrierException? reason)
    {
        if (!_isOutputDone)
        {
            _isOutputDone = true;
            _outgoing.Complete(reason);
        }
    }

    private void EndInput(CarrierException? reason)
    {
        if (!_isInputDone)
        {
            _isInputDone = true;
            _incoming.Complete(reason);
        }
    }
}
