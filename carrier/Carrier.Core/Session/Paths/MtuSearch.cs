namespace Carrier.Core.Session.Paths;

/// <summary>Packetization-layer path MTU discovery (RFC 8899) of one path: tries a few sizes from the top down with padded challenges.</summary>
/// <remarks>
/// A probe is a PATH_CHALLENGE padded to the size in question; its PATH_RESPONSE is the proof that the size arrived, so a lost probe is neither a lost
/// packet nor congestion. Nothing else moves the size up, and ICMP has no say: it never falls below <see cref="BaseBytes"/>.
/// Sizes are of session packets, header and tag included, without a relay header.
/// </remarks>
internal sealed class MtuSearch(int ceilingBytes)
{
    /// <summary>Every path carries this (RFC 9000 §14).</summary>
    public const int BaseBytes = 1_200;

    private const int ProbesPerSize = 3;

    private static readonly TimeSpan RetryAfterBlackHole = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan ShortestWait = TimeSpan.FromMilliseconds(50);

    // Tunnels and access networks commonly leave these (IPv6 and UDP headers off 1,480, 1,420, 1,380 and 1,340).
    private static readonly int[] LowerSizes = [1_432, 1_372, 1_332, 1_292];

    private int _index = -1;
    private int _tries;

    public int CurrentBytes { get; private set; } = BaseBytes;

    /// <summary>When the next probe is due; Never when the search is over.</summary>
    public Instant NextProbeAt { get; private set; } = ceilingBytes > BaseBytes ? Instant.Zero : Instant.Never;

    /// <summary>The size to probe now; the caller sends it.</summary>
    public int BeginProbe(Instant now, TimeSpan roundTrip)
    {
        if (_tries == ProbesPerSize)
        {
            Next();
        }

        int size = Size(_index);
        if (size <= CurrentBytes)
        {
            NextProbeAt = Instant.Never;
            return 0;
        }

        _tries++;
        TimeSpan wait = 2 * roundTrip;
        NextProbeAt = now + (wait > ShortestWait ? wait : ShortestWait);
        return size;
    }

    /// <summary>A probe of <paramref name="bytes"/> arrived. Sizes fall, so the first that arrives is the best.</summary>
    public void OnProbeArrived(int bytes)
    {
        if (bytes > CurrentBytes && bytes <= ceilingBytes)
        {
            CurrentBytes = bytes;
            NextProbeAt = Instant.Never;
        }
    }

    /// <summary>Packets of this size no longer arrive: back to the base, and look again after a while.</summary>
    public void OnBlackHole(Instant now)
    {
        CurrentBytes = BaseBytes;
        _index = -1;
        _tries = 0;
        NextProbeAt = now + RetryAfterBlackHole;
    }

    private void Next()
    {
        _tries = 0;
        do
        {
            _index++;
        }
        while (Size(_index) >= ceilingBytes);
    }

    private int Size(int index) => index < 0 ? ceilingBytes : index < LowerSizes.Length ? LowerSizes[index] : 0;
}
