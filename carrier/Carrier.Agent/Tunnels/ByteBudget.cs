namespace Carrier.Agent.Tunnels;

/// <summary>A token bucket of bytes, shared by all connections of a service; holds a quarter of a second's worth.</summary>
/// <param name="bytesPerSecond">Null for no limit.</param>
internal sealed class ByteBudget(long? bytesPerSecond, TimeProvider time)
{
    private const double DepthSeconds = 0.25;

    private readonly Lock _gate = new();

    /// <summary>The moment up to which all is spent, as the time provider's timestamp in seconds.</summary>
    private double _spentUntil;

    private double Now => time.GetTimestamp() / (double)time.TimestampFrequency;

    /// <summary>Spends, and waits until what was spent has come in.</summary>
    public async ValueTask SpendAsync(int bytes, CancellationToken cancellationToken)
    {
        if (bytesPerSecond is not { } rate)
        {
            return;
        }

        double debtSeconds;
        lock (_gate)
        {
            _spentUntil = Math.Max(_spentUntil, Now - DepthSeconds) + (bytes / (double)rate);
            debtSeconds = _spentUntil - Now;
        }

        if (debtSeconds > 0)
        {
            await Task.Delay(TimeSpan.FromSeconds(debtSeconds), time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Spends if it is there: for datagrams, which are dropped rather than held.</summary>
    public bool TrySpend(int bytes)
    {
        if (bytesPerSecond is not { } rate)
        {
            return true;
        }

        lock (_gate)
        {
            double spent = Math.Max(_spentUntil, Now - DepthSeconds) + (bytes / (double)rate);
            if (spent > Now)
            {
                return false;
            }

            _spentUntil = spent;
            return true;
        }
    }
}
