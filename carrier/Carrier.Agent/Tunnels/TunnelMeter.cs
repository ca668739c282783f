namespace Carrier.Agent.Tunnels;

/// <summary>What one tunnel has moved, counted into its owner's totals as well.</summary>
internal sealed class TunnelMeter(TunnelTotals totals, ByteBudget? budget = null)
{
    private long _bytesIn;
    private long _bytesOut;

    /// <summary>Bytes that came over the network.</summary>
    public long BytesIn => Volatile.Read(ref _bytesIn);

    /// <summary>Bytes that went over the network.</summary>
    public long BytesOut => Volatile.Read(ref _bytesOut);

    public ValueTask TakeInAsync(int bytes, CancellationToken cancellationToken)
    {
        CountIn(bytes);
        return budget?.SpendAsync(bytes, cancellationToken) ?? ValueTask.CompletedTask;
    }

    public ValueTask GiveOutAsync(int bytes, CancellationToken cancellationToken)
    {
        CountOut(bytes);
        return budget?.SpendAsync(bytes, cancellationToken) ?? ValueTask.CompletedTask;
    }

    /// <summary>Whether a datagram may pass; it is counted where it passes.</summary>
    public bool Allows(int bytes) => budget?.TrySpend(bytes) ?? true;

    public void CountIn(int bytes)
    {
        Interlocked.Add(ref _bytesIn, bytes);
        totals.CountIn(bytes);
    }

    public void CountOut(int bytes)
    {
        Interlocked.Add(ref _bytesOut, bytes);
        totals.CountOut(bytes);
    }
}

/// <summary>What a service or a forward has done since it began. Any thread.</summary>
internal sealed class TunnelTotals
{
    private long _bytesIn;
    private long _bytesOut;
    private long _total;
    private long _failed;
    private int _open;

    public long BytesIn => Volatile.Read(ref _bytesIn);

    public long BytesOut => Volatile.Read(ref _bytesOut);

    public int Open => Volatile.Read(ref _open);

    /// <summary>Connections and flows that were begun.</summary>
    public long Total => Volatile.Read(ref _total);

    /// <summary>Those that were refused, or never came about.</summary>
    public long Failed => Volatile.Read(ref _failed);

    public void CountIn(int bytes) => Interlocked.Add(ref _bytesIn, bytes);

    public void CountOut(int bytes) => Interlocked.Add(ref _bytesOut, bytes);

    public void Begin()
    {
        Interlocked.Increment(ref _total);
        Interlocked.Increment(ref _open);
    }

    public void End() => Interlocked.Decrement(ref _open);

    public void Fail() => Interlocked.Increment(ref _failed);
}
