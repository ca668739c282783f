namespace Carrier.Core.Session.Recovery;

/// <summary>
/// Spreads a window over its round trip: a leaky bucket counted in bytes (RFC 9002 §7.7). It lets whole segmented sends through, so its
/// bucket holds at least ten datagrams and at least what the rate delivers between two wake-ups of the shell.
/// </summary>
/// <param name="maxDatagramBytes">The path's datagram size.</param>
public sealed class Pacer(int maxDatagramBytes)
{
    /// <summary>The most one segmented send carries; no wait is for more than this.</summary>
    public const int MaxQuantumBytes = 65_536;

    private const int MinBurstDatagrams = 10;

    // How late the shell may wake on a busy machine: what the bucket must hold for the rate to be reached all the same.
    private const double TimerSlackSeconds = 2e-3;

    // Below it a timer is coarser than a round trip: pacing only slows down.
    private static readonly TimeSpan MinPacedRtt = TimeSpan.FromMilliseconds(1);

    private double _rateBytesPerSecond = double.PositiveInfinity;
    private double _burstBytes = MinBurstDatagrams * (double)maxDatagramBytes;
    private double _tokenBytes = MinBurstDatagrams * (double)maxDatagramBytes;
    private Instant _filledAt;

    public int MaxDatagramBytes { get; set; } = maxDatagramBytes;

    public bool IsActive => double.IsFinite(_rateBytesPerSecond);

    /// <summary>Takes over the rate; once an ACK is often enough.</summary>
    public void Update(Instant now, double rateBytesPerSecond, TimeSpan smoothedRtt)
    {
        Fill(now);
        _rateBytesPerSecond = smoothedRtt < MinPacedRtt ? double.PositiveInfinity : rateBytesPerSecond;
        _burstBytes = Math.Max(MinBurstDatagrams * (double)MaxDatagramBytes, IsActive ? _rateBytesPerSecond * TimerSlackSeconds : 0);
        _tokenBytes = Math.Min(_tokenBytes, _burstBytes);
    }

    /// <summary>When <paramref name="bytes"/> may leave: <paramref name="now"/> or later. A batch larger than the bucket waits for a full one.</summary>
    public Instant NextSend(Instant now, int bytes)
    {
        if (!IsActive)
        {
            return now;
        }

        Fill(now);
        double missing = Math.Min(Math.Min(bytes, MaxQuantumBytes), _burstBytes) - _tokenBytes;
        // Rounded up, so that the tokens are there when the instant comes.
        return missing <= 0 ? now : now + TimeSpan.FromTicks((long)Math.Ceiling(missing / _rateBytesPerSecond * TimeSpan.TicksPerSecond));
    }

    /// <summary>Bytes left. Probes and batches larger than the bucket run it into debt, which the next send waits off.</summary>
    public void OnSent(Instant now, int bytes)
    {
        if (IsActive)
        {
            Fill(now);
            _tokenBytes -= bytes;
        }
    }

    private void Fill(Instant now)
    {
        double elapsed = (now - _filledAt).TotalSeconds;
        if (elapsed > 0)
        {
            _filledAt = now;
            _tokenBytes = IsActive ? Math.Min(_burstBytes, _tokenBytes + (elapsed * _rateBytesPerSecond)) : _burstBytes;
        }
    }
}
