using System.Runtime.CompilerServices;

namespace Carrier.Core.Session.Recovery;

/// <summary>When silence of the peer asks for a probe, and how often it did: RFC 9002 §6.2.</summary>
/// <remarks>
/// Started by the first packet after an ACK and not, as RFC 9002 §6.2.1 has it, anew by every packet: who sends a little every few milliseconds would
/// otherwise not notice a dead path before the congestion window is full, which may take seconds.
/// </remarks>
internal struct ProbeTimer
{
    /// <summary>Packets a probe timeout sends: RFC 9002 §6.2.4.</summary>
    public const int ProbesPerTimeout = 2;

    private Instant _newestSentAt;
    private Instant _startedAt;
    private bool _isRunning;

    /// <summary>Consecutive probe timeouts without an ACK.</summary>
    public int Timeouts { get; private set; }

    /// <summary>Ack-eliciting packets to send regardless of the congestion window.</summary>
    public int ProbesOwed { get; private set; }

    public readonly Instant Deadline(TimeSpan probeTimeout) =>
        _startedAt + new TimeSpan(probeTimeout.Ticks << Math.Min(Timeouts, LossDetector.MaxProbeBackoffDoublings));

    /// <summary>An ack-eliciting packet left.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void OnSent(Instant now)
    {
        _newestSentAt = now;
        _startedAt = _isRunning ? _startedAt : now;
        _isRunning = true;
        ProbesOwed = Math.Max(0, ProbesOwed - 1);
    }

    /// <summary>Something was acknowledged: what is still out is waited for from when the newest of it left.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void OnAcknowledged()
    {
        Timeouts = 0;
        ProbesOwed = 0;
        _startedAt = _newestSentAt;
        _isRunning = false;
    }

    public void OnTimeout(Instant now)
    {
        Timeouts++;
        ProbesOwed = ProbesPerTimeout;
        _startedAt = now;
        _isRunning = true;
    }
}
