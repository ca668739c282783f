using System.Runtime.CompilerServices;

namespace Carrier.Core.Session.Buffers;

/// <summary>What became of bytes received for a stream. Anything but <see cref="Ok"/> changed nothing.</summary>
public enum InsertResult
{
    Ok,

    /// <summary>Beyond what we allowed: the peer broke flow control; close (RFC 9000 §4.1).</summary>
    FlowControlViolation,

    /// <summary>The end moved, or bytes lie beyond it; close (RFC 9000 §4.5).</summary>
    FinalSizeViolation,

    /// <summary>One hole more than <see cref="ReceiveBuffer.MaxGaps"/>: drop the packet unacknowledged, so that it comes again.</summary>
    TooFragmented,

    /// <summary>The node has committed all its slabs: drop the packet unacknowledged.</summary>
    OutOfSlabs,
}

/// <summary>
/// The receiving half of a stream: puts bytes together in any order of arrival (RFC 9000 §2.2). Bytes are stored once, in slabs at
/// their place; memory is bounded by the flow-control window rounded up to slabs, plus <see cref="MaxGaps"/> ranges, whatever the
/// peer sends. The owner disposes it. Single-threaded.
/// </summary>
/// <param name="pool">Where its slabs come from and go back.</param>
/// <param name="maxOffset">The first offset the peer may not yet send: the flow-control limit advertised.</param>
public sealed class ReceiveBuffer(SlabPool pool, long maxOffset) : IDisposable
{
    /// <summary>
    /// Holes tracked a stream. A window of 16 MiB with every tenth packet lost has about a thousand; a peer that makes more is
    /// attacking (RFC 9000 §21.7).
    /// </summary>
    public const int MaxGaps = 1_024;

    private readonly SlabWindow _window = new(pool);

    // Received beyond the first hole.
    private readonly OffsetRanges _beyond = new(MaxGaps);

    private long _read;
    private long _contiguousEnd;
    private long _finalSize = -1;

    /// <summary>The flow-control limit; bytes at or beyond it are refused. Only ever raised (by <see cref="Allow"/>).</summary>
    public long MaxOffset { get; private set; } = maxOffset;

    /// <summary>One past the highest offset received: what counts against the session's flow control.</summary>
    public long HighestReceived { get; private set; }

    /// <summary>Bytes handed to the application so far.</summary>
    public long ReadOffset => _read;

    public long ReadableBytes => _contiguousEnd - _read;

    /// <summary>The stream's length, once a fin or reset told it.</summary>
    public long? FinalSize => _finalSize < 0 ? null : _finalSize;

    /// <summary>Everything up to the fin has arrived, read or not.</summary>
    public bool Complete => _contiguousEnd == _finalSize;

    /// <summary>Everything up to the fin was read.</summary>
    public bool Finished => _read == _finalSize;

    /// <summary>Raises the flow-control limit; a lower one is ignored.</summary>
    public void Allow(long maxOffset) => MaxOffset = Math.Max(MaxOffset, maxOffset);

    /// <summary>Stores bytes of the stream from <paramref name="offset"/> on; <paramref name="fin"/> says that they are the last.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public InsertResult Insert(long offset, ReadOnlySpan<byte> data, bool fin)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        if (data.Length > MaxOffset - offset)
        {
            return InsertResult.FlowControlViolation;
        }

        long end = offset + data.Length;
        if (BreaksFinalSize(end, fin))
        {
            return InsertResult.FinalSizeViolation;
        }

        long start = Math.Max(offset, _contiguousEnd);
        if (start < end)
        {
            InsertResult stored = Store(start, data[(int)(start - offset)..]);
            if (stored != InsertResult.Ok)
            {
                return stored;
            }
        }

        HighestReceived = Math.Max(HighestReceived, end);
        if (fin)
        {
            _finalSize = end;
        }

        return InsertResult.Ok;
    }

    /// <summary>The peer gave the stream up at <paramref name="finalSize"/> (RESET_STREAM): what is unread is discarded.</summary>
    public InsertResult Reset(long finalSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(finalSize);
        if (finalSize > MaxOffset)
        {
            return InsertResult.FlowControlViolation;
        }

        if (BreaksFinalSize(finalSize, fin: true))
        {
            return InsertResult.FinalSizeViolation;
        }

        _finalSize = finalSize;
        HighestReceived = finalSize;
        _read = finalSize;
        _contiguousEnd = finalSize;
        _beyond.Clear();
        _window.FreeAll();
        _window.FreeBefore(finalSize);
        return InsertResult.Ok;
    }

    /// <summary>Moves bytes to <paramref name="destination"/>, in order; returns how many, 0 when none are readable.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public int Read(Span<byte> destination)
    {
        int count = (int)Math.Min(destination.Length, ReadableBytes);
        _window.Read(_read, destination[..count]);
        Consume(count);
        return count;
    }

    /// <summary>Readable bytes up to the end of their slab, without a copy: valid until the next call of any other member.</summary>
    public ReadOnlySpan<byte> Peek()
    {
        if (ReadableBytes == 0)
        {
            return default;
        }

        Span<byte> slab = _window.At(_read);
        return slab[..(int)Math.Min(slab.Length, ReadableBytes)];
    }

    /// <summary>Marks bytes that were peeked as read.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Consume(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, ReadableBytes);
        _read += count;
        _window.FreeBefore(_read);
        if (_read == _contiguousEnd && _beyond.IsEmpty)
        {
            // An idle stream holds no slab.
            _window.FreeAll();
        }
    }

    public void Dispose() => _window.FreeAll();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool BreaksFinalSize(long end, bool fin) =>
        _finalSize >= 0 ? end > _finalSize || (fin && end != _finalSize) : fin && end < HighestReceived;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private InsertResult Store(long start, ReadOnlySpan<byte> data)
    {
        long end = start + data.Length;
        if (!_window.TryCommit(start, end))
        {
            return InsertResult.OutOfSlabs;
        }

        if (start > _contiguousEnd)
        {
            if (!_beyond.TryAdd(start, end))
            {
                return InsertResult.TooFragmented;
            }
        }
        else
        {
            _contiguousEnd = end;
            while (!_beyond.IsEmpty && _beyond.First.Start <= _contiguousEnd)
            {
                _contiguousEnd = Math.Max(_contiguousEnd, _beyond.First.End);
                _beyond.RemoveFirst();
            }
        }

        _window.Write(start, data);
        return InsertResult.Ok;
    }
}
