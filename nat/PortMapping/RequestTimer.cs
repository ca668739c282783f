using Carrier.Core;

namespace Carrier.Nat.PortMapping;

/// <summary>When to send one request over UDP to the gateway: at once, then after gaps that double from 250 ms (RFC 6886 §3.1), at most four times.</summary>
internal struct RequestTimer
{
    /// <summary>The last leaves 1.75 s after the first; who asks gives up by itself.</summary>
    public const int MaxSends = 4;

    private int _sent;
    private int _sends;
    private bool _isRunning;
    private Instant _next;

    public static TimeSpan FirstGap => TimeSpan.FromMilliseconds(250);

    public readonly Instant NextDeadline => _isRunning ? _next : Instant.Never;

    public readonly bool IsDue(Instant now) => _isRunning && now >= _next;

    /// <param name="now">When the first leaves.</param>
    /// <param name="sends">How often it is sent at the most.</param>
    public void Start(Instant now, int sends = MaxSends) => (_sent, _sends, _isRunning, _next) = (0, sends, true, now);

    public void Stop() => _isRunning = false;

    /// <summary>Takes note that a due request was sent.</summary>
    public void Sent(Instant now)
    {
        _sent++;
        _next = now + (FirstGap * (1 << (_sent - 1)));
        _isRunning = _sent < _sends;
    }
}
