using System.Runtime.CompilerServices;

namespace Carrier.Core.Session.Buffers;

/// <summary>
/// The sending half of a stream: keeps what the application wrote until the peer acknowledged it, and says what to send next, lost
/// ranges first. Bytes are copied in once and copied out into each packet. The owner disposes it. Single-threaded.
/// </summary>
/// <param name="pool">Where its slabs come from and go back.</param>
/// <param name="maxBufferedBytes">Bytes written and not yet acknowledged that it holds; <see cref="Write"/> accepts no more.</param>
public sealed class SendBuffer(SlabPool pool, int maxBufferedBytes) : IDisposable
{
    /// <summary>
    /// Ranges acknowledged out of order, and ranges to send again, that are tracked. A peer acknowledging every other packet makes
    /// us forget acknowledgements beyond it, and so only send again what it already has.
    /// </summary>
    public const int MaxRanges = 1_024;

    private readonly SlabWindow _window = new(pool);
    private readonly OffsetRanges _acknowledged = new(MaxRanges);
    private readonly OffsetRanges _lost = new(MaxRanges);
    private bool _finSent;
    private bool _finAcknowledged;

    /// <summary>Everything before it is acknowledged and forgotten.</summary>
    public long AcknowledgedOffset { get; private set; }

    /// <summary>The first byte never sent.</summary>
    public long SentOffset { get; private set; }

    /// <summary>Bytes written so far: where the next write goes, and the final size once finished.</summary>
    public long WrittenOffset { get; private set; }

    public bool Finished { get; private set; }

    public long UnsentBytes => WrittenOffset - SentOffset;

    /// <summary>Bytes <see cref="Write"/> would accept now, while the node has slabs.</summary>
    public int WritableBytes => Finished ? 0 : maxBufferedBytes - (int)(WrittenOffset - AcknowledgedOffset);

    /// <summary>Lost data waits to be sent again: no flow control holds it back.</summary>
    public bool HasLost => !_lost.IsEmpty;

    /// <summary>Something is to be sent, if flow control allows.</summary>
    public bool HasPending => !_lost.IsEmpty || SentOffset < WrittenOffset || (Finished && !_finSent);

    /// <summary>Everything, the fin too, was acknowledged.</summary>
    public bool AllAcknowledged => _finAcknowledged && AcknowledgedOffset == WrittenOffset;

    /// <summary>Appends application bytes; returns how many were taken, fewer than offered when the buffer or the pool is full.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public int Write(ReadOnlySpan<byte> data)
    {
        int taken = 0;
        int limit = Math.Min(data.Length, WritableBytes);
        while (taken < limit)
        {
            int room = SlabPool.SlabBytes - (int)(WrittenOffset % SlabPool.SlabBytes);
            int count = Math.Min(room, limit - taken);
            if (!_window.TryCommit(WrittenOffset, WrittenOffset + count))
            {
                break;
            }

            data.Slice(taken, count).CopyTo(_window.At(WrittenOffset));
            WrittenOffset += count;
            taken += count;
        }

        return taken;
    }

    /// <summary>Nothing more will be written: the fin goes with the last byte, or alone.</summary>
    public void Finish() => Finished = true;

    /// <summary>
    /// The next range to send, at most <paramref name="maxBytes"/> long and, where new, ending at or before the flow-control limit
    /// <paramref name="maxOffset"/>; it then counts as sent. False when there is nothing.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryNextRange(int maxBytes, long maxOffset, out SendRange range)
    {
        range = default;
        if (!_lost.IsEmpty)
        {
            if (maxBytes <= 0)
            {
                return false;
            }

            OffsetRange lost = _lost.First;
            int length = (int)Math.Min(maxBytes, lost.End - lost.Start);
            _lost.Remove(lost.Start, lost.Start + length);
            range = Sent(lost.Start, length);
            return true;
        }

        int fresh = (int)Math.Max(0, Math.Min(maxBytes, Math.Min(WrittenOffset, maxOffset) - SentOffset));
        bool finAlone = fresh == 0 && SentOffset == WrittenOffset && Finished && !_finSent;
        if (fresh == 0 && !finAlone)
        {
            return false;
        }

        long start = SentOffset;
        SentOffset += fresh;
        range = Sent(start, fresh);
        return true;
    }

    /// <summary>Fills <paramref name="destination"/> with the stream's bytes from <paramref name="offset"/> on, which are not yet acknowledged.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void CopyTo(long offset, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(offset, AcknowledgedOffset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + destination.Length, WrittenOffset);
        _window.Read(offset, destination);
    }

    /// <summary>A range that <see cref="TryNextRange"/> gave was received; in any order, and more than once, harmlessly.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Acknowledge(long offset, int length, bool fin)
    {
        _finAcknowledged |= fin;
        long start = Math.Max(offset, AcknowledgedOffset);
        long end = offset + length;
        if (start >= end)
        {
            return;
        }

        if (!_lost.IsEmpty)
        {
            _lost.Remove(start, end);
        }

        if (start > AcknowledgedOffset)
        {
            if (!_acknowledged.TryAdd(start, end))
            {
                // Forgotten, so it must be sent again: the front cannot pass it otherwise.
                _lost.AddCovering(start, end);
            }

            return;
        }

        AcknowledgedOffset = end;
        while (!_acknowledged.IsEmpty && _acknowledged.First.Start <= AcknowledgedOffset)
        {
            AcknowledgedOffset = Math.Max(AcknowledgedOffset, _acknowledged.First.End);
            _acknowledged.RemoveFirst();
        }

        if (!_lost.IsEmpty)
        {
            _lost.Remove(0, AcknowledgedOffset);
        }

        _window.FreeBefore(AcknowledgedOffset);
        if (AcknowledgedOffset == WrittenOffset)
        {
            // An idle stream holds no slab.
            _window.FreeAll();
        }
    }

    /// <summary>A range that <see cref="TryNextRange"/> gave was lost: what of it is unacknowledged is queued before anything new.</summary>
    public void Lose(long offset, int length, bool fin)
    {
        if (fin && !_finAcknowledged)
        {
            _finSent = false;
        }

        long start = Math.Max(offset, AcknowledgedOffset);
        long end = offset + length;
        while (start < end)
        {
            bool found = _acknowledged.TryFindEndingAfter(start, out OffsetRange known);
            long gapEnd = found ? Math.Min(end, known.Start) : end;
            if (start < gapEnd)
            {
                _lost.AddCovering(start, gapEnd);
            }

            start = found ? Math.Max(gapEnd, known.End) : end;
        }
    }

    public void Dispose() => _window.FreeAll();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private SendRange Sent(long start, int length)
    {
        bool fin = Finished && start + length == WrittenOffset;
        _finSent |= fin;
        return new SendRange(start, length, fin);
    }
}
