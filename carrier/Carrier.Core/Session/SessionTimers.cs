using System.Runtime.CompilerServices;
using Carrier.Core.Session.Paths;

namespace Carrier.Core.Session;

/// <summary>When a session must be woken whatever comes: idle timeout (RFC 9000 §10.1) and keep-alive.</summary>
internal sealed class SessionTimers
{
    private const int PauseProbeTimeouts = 2;

    private readonly SessionParts _parts;
    private readonly TimeSpan _idleTimeout;
    private TimeSpan _keepAliveDelay;
    private Instant _quietSince;
    private bool _sentSinceHeard;

    public SessionTimers(SessionParts parts, Instant now)
    {
        _parts = parts;
        _idleTimeout = Smaller(parts.Local.IdleTimeout, parts.Remote.IdleTimeout);
        _quietSince = now;
        OnKeepAlive(now);
    }

    /// <summary>How long a responder waits for the first packet of a session: an initiation that was replayed ends here.</summary>
    public static TimeSpan ConfirmTimeout => TimeSpan.FromSeconds(10);

    /// <summary>When the session ends of silence.</summary>
    public Instant IdleAt
    {
        get
        {
            TimeSpan timeout = _parts.Close.State == SessionState.Unconfirmed ? Smaller(_idleTimeout, ConfirmTimeout) : _idleTimeout;

            // Lost packets must have their chance (RFC 9000 §10.1).
            return timeout == TimeSpan.Zero ? Instant.Never : _quietSince + (timeout > ThreeProbeTimeouts ? timeout : ThreeProbeTimeouts);
        }
    }

    public Instant KeepAliveAt { get; private set; } = Instant.Never;

    /// <summary>When a stream that flowed toward us has paused so long that the path may be gone: who only receives has nothing unacknowledged to
    /// notice it by, so the peer is asked once.</summary>
    public Instant PauseAt { get; private set; } = Instant.Never;

    public TimeSpan ThreeProbeTimeouts => new(3 * _parts.Loss.Rtt.ProbeTimeout.Ticks); // not by a double: every packet asks

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void OnHeard(Instant now, bool onActivePath)
    {
        _quietSince = now;
        _sentSinceHeard = false;
        if (onActivePath)
        {
            // What a path in reserve brings keeps no NAT's mapping of the one in use.
            KeepAliveAt = _parts.Options.KeepAlive ? now + _keepAliveDelay : Instant.Never;
        }
    }

    public void OnStreamData(Instant now) => PauseAt = now + new TimeSpan(PauseProbeTimeouts * _parts.Loss.Rtt.ProbeTimeout.Ticks);

    /// <summary>The peer is being asked: not again before more of a stream came.</summary>
    public void OnPause() => PauseAt = Instant.Never;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void OnElicitingSent(Instant now)
    {
        if (!_sentSinceHeard)
        {
            _sentSinceHeard = true;
            _quietSince = now;
        }
    }

    /// <summary>The keep-alive is being sent: draws when the next is due, should nothing be heard.</summary>
    public void OnKeepAlive(Instant now)
    {
        if (_parts.Options.KeepAlive)
        {
            TimeSpan third = _idleTimeout / 3;
            _keepAliveDelay = PathTable.KeepAliveDelay(_parts.Random);
            _keepAliveDelay = third > TimeSpan.Zero ? Smaller(third, _keepAliveDelay) : _keepAliveDelay;
            KeepAliveAt = now + _keepAliveDelay;
        }
    }

    private static TimeSpan Smaller(TimeSpan left, TimeSpan right) =>
        left == TimeSpan.Zero || (right != TimeSpan.Zero && right < left) ? right : left;
}
