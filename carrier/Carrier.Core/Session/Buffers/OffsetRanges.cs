namespace Carrier.Core.Session.Buffers;

/// <summary>Bytes of a stream, [<paramref name="Start"/>, <paramref name="End"/>).</summary>
internal readonly record struct OffsetRange(long Start, long End);

/// <summary>
/// Disjoint, non-touching ranges of stream offsets in ascending order, at most <paramref name="maxRanges"/> of them. The memory
/// grows with what is used and stops there; an operation costs at most a search and one move of the array.
/// </summary>
internal sealed class OffsetRanges(int maxRanges)
{
    private const int InitialCapacity = 4;

    private OffsetRange[] _ranges = [];

    public int Count { get; private set; }

    public bool IsEmpty => Count == 0;

    public OffsetRange First => _ranges[0];

    public OffsetRange this[int index] => _ranges[index];

    /// <summary>Adds [start, end), merging what it touches. False, changing nothing, when that would need one range too many.</summary>
    public bool TryAdd(long start, long end)
    {
        int from = FirstEndingAtOrAfter(start);
        int to = from;
        while (to < Count && _ranges[to].Start <= end)
        {
            start = Math.Min(start, _ranges[to].Start);
            end = Math.Max(end, _ranges[to].End);
            to++;
        }

        if (from == to && Count == maxRanges)
        {
            return false;
        }

        Replace(from, to, 1);
        _ranges[from] = new OffsetRange(start, end);
        return true;
    }

    /// <summary>Adds [start, end); when full, stretches the nearest range over the gap to it instead: covers more, never less.</summary>
    public void AddCovering(long start, long end)
    {
        if (TryAdd(start, end))
        {
            return;
        }

        int next = FirstEndingAtOrAfter(start);
        bool joinNext = next < Count && (next == 0 || _ranges[next].Start - end <= start - _ranges[next - 1].End);
        _ = joinNext ? TryAdd(start, _ranges[next].Start) : TryAdd(_ranges[next - 1].End, end);
    }

    /// <summary>Takes out [start, end). Where that would split a range into one too many, the whole range is kept.</summary>
    public void Remove(long start, long end)
    {
        int from = FirstEndingAtOrAfter(start + 1);
        if (from < Count && _ranges[from].Start < start && _ranges[from].End > end)
        {
            if (Count < maxRanges)
            {
                OffsetRange whole = _ranges[from];
                Replace(from, from, 1);
                _ranges[from] = whole with { End = start };
                _ranges[from + 1] = whole with { Start = end };
            }

            return;
        }

        if (from < Count && _ranges[from].Start < start)
        {
            _ranges[from] = _ranges[from] with { End = start };
            from++;
        }

        int to = from;
        while (to < Count && _ranges[to].End <= end)
        {
            to++;
        }

        if (to < Count && _ranges[to].Start < end)
        {
            _ranges[to] = _ranges[to] with { Start = end };
        }

        Replace(from, to, 0);
    }

    /// <summary>The first range that ends after <paramref name="offset"/>, or false.</summary>
    public bool TryFindEndingAfter(long offset, out OffsetRange range)
    {
        int index = FirstEndingAtOrAfter(offset + 1);
        range = index < Count ? _ranges[index] : default;
        return index < Count;
    }

    public void RemoveFirst() => Replace(0, 1, 0);

    public void Clear() => Count = 0;

    private int FirstEndingAtOrAfter(long offset)
    {
        // In-order use lands at the end: look there first.
        if (Count == 0 || _ranges[Count - 1].End < offset)
        {
            return Count;
        }

        int low = 0;
        int high = Count - 1;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_ranges[middle].End < offset)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }

    // Makes [from, to) into `width` entries, keeping what follows.
    private void Replace(int from, int to, int width)
    {
        int count = Count - (to - from) + width;
        if (count > _ranges.Length)
        {
            Array.Resize(ref _ranges, Math.Min(maxRanges, Math.Max(InitialCapacity, _ranges.Length * 2)));
        }

        Array.Copy(_ranges, to, _ranges, from + width, Count - to);
        Count = count;
    }
}
