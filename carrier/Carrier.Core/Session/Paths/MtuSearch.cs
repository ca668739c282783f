using Carrier.Core.Session.Recovery;

namespace Carrier.Core.Session.Paths;

/// <summary>Packetization-layer path MTU discovery (RFC 8899) of one path: tries a few sizes with padded challenges, and notices when one stops arriving.</summary>
/// <remarks>
/// A probe is a PATH_CHALLENGE padded to the size in question; its PATH_RESPONSE is the proof that the size arrived, so a lost probe is neither a lost
/// packet nor congestion. Nothing else moves the size up, and ICMP has no say: it never falls below <see cref="BaseBytes"/>.
/// Sizes are of session packets, header and tag included, without a relay header.
/// </remarks>
internal sealed class MtuSearch(int ceilingBytes)
{
    /// <summary>Every path carries this (RFC 9000 §14).</summary>
    public const int BaseBytes = 1_200;

    /// <summary>Packets above <see cref="BaseBytes"/> lost since the last that arrived, which together with a small one arriving mean a black hole (RFC 8899 §4.3).</summary>
    public const int BlackHoleLosses = 6;

    private const int ProbesPerSize = 3;

    /// <summary>What a common Ethernet path carries over IPv6; tried before anything else.</summary>
    private const int CommonBytes = 1_452;

    private static readonly TimeSpan RetryAfterBlackHole = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan ShortestWait = TimeSpan.FromMilliseconds(50);

    // PMTU_RAISE_TIMER: a path may have become wider (RFC 8899 §5.1.1).
    private static readonly TimeSpan RaiseInterval = TimeSpan.FromMinutes(10);

    // Tunnels and access networks commonly leave these (IPv6 and UDP headers off 1,480, 1,420, 1,380, 1,340 and 1,280).
    private static readonly int[] LowerSizes = [1_432, 1_372, 1_332, 1_292, 1_232];

    // And these go beyond: Ethernet over IPv4, FDDI's and jumbo frames.
    private static readonly int[] HigherSizes = [1_472, 4_052, 8_952];

    // Of nearly every path, so every path shares it.
    private static readonly int[] CommonSizes = Candidates(CommonBytes);

    private readonly int[] _sizes = ceilingBytes == CommonBytes ? CommonSizes : Candidates(ceilingBytes);
    private int _index;
    private int _tries;
    private int _tooLargeBytes = int.MaxValue;
    private int _largeLosses;
    private Instant _lastBlackHoleAt = new(long.MinValue);

    public int CurrentBytes { get; private set; } = BaseBytes;

    /// <summary>When the next probe is due; Never when no size is left to try.</summary>
    public Instant NextProbeAt { get; private set; } = ceilingBytes > BaseBytes ? Instant.Zero : Instant.Never;

    /// <summary>The size to probe now, which the caller sends; 0 when the search is over for now.</summary>
    public int BeginProbe(Instant now, TimeSpan roundTrip)
    {
        if (_tries == ProbesPerSize)
        {
            _tries = 0;
            _tooLargeBytes = _sizes[_index];
        }

        while (_index < _sizes.Length && (_sizes[_index] <= CurrentBytes || _sizes[_index] >= _tooLargeBytes))
        {
            _index++;
        }

        if (_index >= _sizes.Length)
        {
            Restart(CurrentBytes < ceilingBytes ? now + RaiseInterval : Instant.Never);
            return 0;
        }

        _tries++;
        TimeSpan wait = 2 * roundTrip;
        NextProbeAt = now + (wait > ShortestWait ? wait : ShortestWait);
        return _sizes[_index];
    }

    /// <summary>A probe of <paramref name="bytes"/> arrived: that size it is, and the next larger one is tried at once.</summary>
    public void OnProbeArrived(Instant now, int bytes)
    {
        if (bytes <= CurrentBytes || bytes > ceilingBytes)
        {
            return;
        }

        CurrentBytes = bytes;
        _tries = 0;
        _largeLosses = 0;
        NextProbeAt = bytes < ceilingBytes ? now : Instant.Never;
    }

    /// <summary>Whether full packets vanish while small ones arrive; the size then is back at the base, and is searched for again.</summary>
    public bool DetectBlackHole(Instant now, in RecoveryReport report)
    {
        if (CurrentBytes == BaseBytes)
        {
            return false;
        }

        _largeLosses = report.LargestAckedPacketBytes > BaseBytes ? 0 : _largeLosses + report.LostLargePackets;
        if (_largeLosses < BlackHoleLosses || report.AckedPackets == 0)
        {
            return false;
        }

        OnBlackHole(now);
        return true;
    }

    /// <summary>Packets of this size no longer arrive: back to the base. The first time the search begins anew at once, since the path may only have
    /// been down; when that happens again soon, after a while.</summary>
    public void OnBlackHole(Instant now)
    {
        CurrentBytes = BaseBytes;
        _largeLosses = 0;
        bool again = _lastBlackHoleAt.Nanoseconds != long.MinValue && now - _lastBlackHoleAt < RetryAfterBlackHole;
        _lastBlackHoleAt = now;
        Restart(again ? now + RetryAfterBlackHole : now);
    }

    private static int[] Candidates(int ceilingBytes)
    {
        int common = Math.Min(ceilingBytes, CommonBytes);
        return [common, .. HigherSizes.Where(size => size < ceilingBytes), .. ceilingBytes > CommonBytes ? [ceilingBytes] : Array.Empty<int>(),
            .. LowerSizes.Where(size => size < common)];
    }

    private void Restart(Instant at)
    {
        (_index, _tries, _tooLargeBytes) = (0, 0, int.MaxValue);
        NextProbeAt = at;
    }
}
