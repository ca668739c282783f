using System.Runtime.CompilerServices;

namespace Carrier.Core.Session.Recovery;

/// <summary>
/// Loss detection of RFC 9002 §6 over one packet number space: packet threshold, time threshold, probe timeout and persistent
/// congestion. A late ACK of a packet declared lost widens both thresholds to what it took, so a path that reorders is learnt, and forgotten
/// when losses stay real. What acknowledged and lost packets carried is drained by <see cref="TryTakeAcked"/> and <see cref="TryTakeLost"/> after each call. Packets sent on a path
/// other than the active one are repaired, but count neither in flight nor as congestion.
/// </summary>
public sealed class LossDetector(RttEstimator rtt)
{
    /// <summary>Packets that may be sent before the oldest unresolved one is resolved: see <see cref="HasRoom"/>.</summary>
    public const int MaxOutstandingPackets = SentPackets.MaxOutstanding;

    /// <summary>The initial packet threshold, kPacketThreshold: RFC 9002 §6.1.1.</summary>
    public const int InitialPacketThreshold = 3;

    /// <summary>Where the packet threshold ends; the time threshold, at most two round trips, decides beyond it.</summary>
    public const int MaxPacketThreshold = 16_384;

    /// <summary>Stretches of real losses, a round trip each, after which what was learnt about reordering is forgotten: RFC 8985 §6.2, step 4.</summary>
    public const int ReorderingMemoryRounds = 16;

    /// <summary>The probe timeout doubles at most this often: 64 times its base.</summary>
    public const int MaxProbeBackoffDoublings = 6;

    // The time threshold in eighths of a round trip: 9/8 by RFC 9002 §6.1.2, never beyond two round trips.
    private const int InitialTimeThresholdEighths = 9;
    private const int MaxTimeThresholdEighths = 16;

    // kPersistentCongestionThreshold, RFC 9002 §7.6.1.
    private const int PersistentCongestionProbeTimeouts = 3;

    // How long a lost or skipped number is watched for a late or lying ACK.
    private const int WatchProbeTimeouts = 3;

    private readonly SentPackets _sent = new();
    private SentFrames _acked;
    private SentFrames _lost;
    private byte _activePath;
    private TimeSpan _otherPathsLossDelay = RttEstimator.InitialRtt * 3;
    private int _timeThresholdEighths = InitialTimeThresholdEighths;
    private Instant _firstSampleAt = Instant.Never;
    private Instant _lossTime = Instant.Never;
    private ProbeTimer _probe;
    private Instant _lossRoundStartedAt;
    private int _lossRounds;

    // The stretch of consecutive losses that persistent congestion is judged by.
    private Instant _lostRunStartedAt = Instant.Never;
    private ulong _lostRunEnd;

    public RttEstimator Rtt { get; private set; } = rtt;

    /// <summary>The number of the next packet: goes into its header, then <see cref="OnPacketSent"/> is called.</summary>
    public ulong NextPacketNumber => _sent.Next;

    public ulong? LargestAcked { get; private set; }

    /// <summary>Bytes on the active path neither acknowledged nor lost.</summary>
    public long BytesInFlight { get; private set; }

    /// <summary>Ack-eliciting packets neither acknowledged nor lost.</summary>
    public int OutstandingPackets => _sent.OutstandingCount;

    /// <summary>Frame records held: zero when everything was resolved and drained.</summary>
    public int FrameRecords => _sent.Frames.Count;

    /// <summary>While false nothing may be sent: the peer left a packet unresolved for <see cref="MaxOutstandingPackets"/> numbers.</summary>
    public bool HasRoom => _sent.HasRoom;

    public int PacketThreshold { get; private set; } = InitialPacketThreshold;

    /// <summary>Consecutive probe timeouts without an ACK.</summary>
    public int ProbeTimeouts => _probe.Timeouts;

    /// <summary>Ack-eliciting packets to send regardless of the congestion window.</summary>
    public int ProbesOwed => _probe.ProbesOwed;

    public Instant NextDeadline =>
        _lossTime != Instant.Never || _sent.OutstandingCount == 0 ? _lossTime : _probe.Deadline(Rtt.ProbeTimeout);

    /// <summary>Notes what a packet being built carries.</summary>
    public void Record(ref SentFrames frames, in SentFrame frame) => _sent.Frames.Append(ref frames, frame);

    /// <summary>Gives up a packet that was being built: its frames come back through <see cref="TryTakeLost"/>.</summary>
    public void Abandon(ref SentFrames frames)
    {
        _sent.Frames.Splice(ref _lost, frames.Head);
        frames = default;
    }

    /// <summary>
    /// The packet <see cref="NextPacketNumber"/> left, while <see cref="HasRoom"/>. Takes over <paramref name="frames"/>; those of a
    /// packet that is not ack-eliciting are forgotten at once, since the peer may never acknowledge it.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void OnPacketSent(Instant now, int bytes, SentPacketTraits traits, byte path, ref SentFrames frames)
    {
        if ((traits & SentPacketTraits.AckEliciting) == 0)
        {
            _sent.Frames.Release(frames.Head);
            _sent.AddUntracked();
        }
        else
        {
            _sent.AddOutstanding(new SentPacket
            {
                SentAt = now,
                Bytes = (ushort)Math.Clamp(bytes, 1, ushort.MaxValue),
                Traits = traits,
                Path = path,
                Frames = frames.Head,
            });
            _probe.OnSent(now);
            if (CountsInFlight(traits, path))
            {
                BytesInFlight += bytes;
            }
        }

        frames = default;
    }

    /// <summary>Leaves a number out, so that a peer acknowledging what it did not receive gives itself away (RFC 9000 §21.4).</summary>
    public void SkipPacketNumber(Instant now) => _sent.AddSkipped(now);

    /// <summary>
    /// Processes an ACK frame, its ranges newest first and <paramref name="ackDelay"/> as the peer told it. On any outcome but
    /// <see cref="AckOutcome.Accepted"/> the session is to be closed.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public RecoveryReport OnAckReceived(ReadOnlySpan<AckRange> newestFirst, TimeSpan ackDelay, Instant now)
    {
        RecoveryReport report = new() { BytesInFlightBefore = BytesInFlight };
        if (newestFirst.IsEmpty)
        {
            return report;
        }

        ulong largest = newestFirst[0].Largest;
        if (largest >= _sent.Next)
        {
            report.Outcome = AckOutcome.NeverSent;
            return report;
        }

        LargestAcked = Math.Max(LargestAcked ?? 0, largest);
        bool sampled = _sent.TryNextOutstanding(largest, largest + 1, out _) && _sent[largest].Path == _activePath;
        Instant largestSentAt = _sent[largest].SentAt;

        // Oldest first, so that a stream sees its acknowledgements in order.
        for (int i = newestFirst.Length - 1; i >= 0; i--)
        {
            Acknowledge(newestFirst[i], now, ref report);
        }

        if (report.Outcome != AckOutcome.Accepted)
        {
            return report;
        }

        if (sampled)
        {
            Rtt.Sample(now - largestSentAt, ackDelay);
            report.HasRttSample = true;
            _firstSampleAt = Instant.Min(_firstSampleAt, now);
        }

        if (report.AckedPackets > 0)
        {
            _probe.OnAcknowledged();
        }

        DetectLosses(now, ref report);
        _sent.Retire(now - new TimeSpan(Rtt.ProbeTimeout.Ticks * WatchProbeTimeouts));
        return report;
    }

    /// <summary>The deadline came: losses are declared, or probes become due, which repeat what the oldest packets carried.</summary>
    public RecoveryReport OnTimeout(Instant now)
    {
        RecoveryReport report = new() { BytesInFlightBefore = BytesInFlight };
        if (now < NextDeadline)
        {
            return report;
        }

        if (_lossTime <= now)
        {
            DetectLosses(now, ref report);
            return report;
        }

        report.ProbeTimeout = true;
        _probe.OnTimeout(now);
        ulong from = _sent.First;
        for (int i = 0; i < ProbeTimer.ProbesPerTimeout && _sent.TryNextOutstanding(from, _sent.Next, out ulong oldest); i++)
        {
            _sent.Frames.Copy(ref _lost, _sent[oldest].Frames);
            from = oldest + 1;
        }

        return report;
    }

    /// <summary>Makes another path the active one: nothing sent before on other paths counts against its window (RFC 9000 §9.4).</summary>
    public void SwitchPath(byte path, RttEstimator rtt)
    {
        ArgumentNullException.ThrowIfNull(rtt);
        _otherPathsLossDelay = Rtt.ProbeTimeout;
        _activePath = path;
        Rtt = rtt;
        _firstSampleAt = Instant.Never;
        _lostRunStartedAt = Instant.Never;
        BytesInFlight = 0;
        for (ulong from = _sent.First; _sent.TryNextOutstanding(from, _sent.Next, out ulong number); from = number + 1)
        {
            ref SentPacket packet = ref _sent[number];
            BytesInFlight += CountsInFlight(packet.Traits, packet.Path) ? packet.Bytes : 0;
        }
    }

    /// <summary>What a packet that was acknowledged carried, one frame a call, until false.</summary>
    public bool TryTakeAcked(out SentFrame frame) => _sent.Frames.TryTake(ref _acked, out frame);

    /// <summary>What is to be sent again, or forgotten, as its kind demands, one frame a call, until false.</summary>
    public bool TryTakeLost(out SentFrame frame) => _sent.Frames.TryTake(ref _lost, out frame);

    private bool CountsInFlight(SentPacketTraits traits, byte path) => (traits & SentPacketTraits.InFlight) != 0 && path == _activePath;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Acknowledge(AckRange range, Instant now, ref RecoveryReport report)
    {
        ulong end = range.Largest + 1;
        for (ulong from = range.Smallest; _sent.TryNextWatched(from, end, out ulong number); from = number + 1)
        {
            if (_sent[number].IsSkipped)
            {
                report.Outcome = AckOutcome.Skipped;
                return;
            }

            _sent.RemoveWatched(number);
            OnSpuriousLoss(number, now, ref report);
        }

        for (ulong from = range.Smallest; _sent.TryNextOutstanding(from, end, out ulong number); from = number + 1)
        {
            ref SentPacket packet = ref _sent[number];
            _sent.RemoveOutstanding(number);
            _sent.Frames.Splice(ref _acked, packet.Frames);
            report.AckedPackets++;
            report.AckedMarkedPackets += (packet.Traits & SentPacketTraits.Marked) != 0 ? 1 : 0;
            report.LargestAckedPacketBytes = Math.Max(report.LargestAckedPacketBytes, packet.Bytes);
            if (CountsInFlight(packet.Traits, packet.Path))
            {
                BytesInFlight -= packet.Bytes;
                report.AckedBytes += packet.Bytes;
                report.NewestAckedSentAt = Instant.Max(report.NewestAckedSentAt, packet.SentAt);
            }
        }
    }

    private void OnSpuriousLoss(ulong number, Instant now, ref RecoveryReport report)
    {
        ref SentPacket packet = ref _sent[number];
        _sent.Frames.Splice(ref _acked, packet.Frames);
        report.SpuriousLosses++;
        if (!CountsInFlight(packet.Traits, packet.Path) || (packet.Traits & SentPacketTraits.MtuProbe) != 0)
        {
            return;
        }

        report.SpuriousBytes += packet.Bytes;
        ulong distance = LargestAcked!.Value - number;
        PacketThreshold = Math.Max(PacketThreshold, (int)Math.Min(distance + 1, MaxPacketThreshold));
        double roundTrips = (now - packet.SentAt) / RoundTrip;
        int eighths = (int)Math.Min(Math.Ceiling(roundTrips * 8), MaxTimeThresholdEighths);
        _timeThresholdEighths = Math.Max(_timeThresholdEighths, eighths);
        _lossRounds = 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void DetectLosses(Instant now, ref RecoveryReport report)
    {
        _lossTime = Instant.Never;
        ulong end = LargestAcked ?? 0;
        TimeSpan lossDelay = new(RoundTrip.Ticks * _timeThresholdEighths / 8);
        lossDelay = lossDelay > RttEstimator.Granularity ? lossDelay : RttEstimator.Granularity;
        for (ulong from = _sent.First; _sent.TryNextOutstanding(from, end, out ulong number); from = number + 1)
        {
            // Another path has its own delay: being overtaken by this one proves nothing.
            bool active = _sent[number].Path == _activePath;
            Instant lostAt = _sent[number].SentAt + (active ? lossDelay : _otherPathsLossDelay);
            if (lostAt <= now || (active && end - number >= (ulong)PacketThreshold))
            {
                Lose(number, ref report);
                continue;
            }

            _lossTime = Instant.Min(_lossTime, lostAt);
            if (active)
            {
                // Those after it were sent later and are nearer.
                break;
            }
        }

        if (report.LostBytes > 0 && report.NewestLostSentAt > _lossRoundStartedAt)
        {
            _lossRoundStartedAt = now;
            if (++_lossRounds > ReorderingMemoryRounds)
            {
                PacketThreshold = InitialPacketThreshold;
                _timeThresholdEighths = InitialTimeThresholdEighths;
            }
        }
    }

    private TimeSpan RoundTrip => Rtt.Latest > Rtt.Smoothed ? Rtt.Latest : Rtt.Smoothed;

    private void Lose(ulong number, ref RecoveryReport report)
    {
        ref SentPacket packet = ref _sent[number];
        _sent.RemoveOutstanding(number);
        _sent.Watch(number);
        _sent.Frames.Copy(ref _lost, packet.Frames);
        report.LostPackets++;
        report.LostLargePackets += packet.Bytes > Paths.MtuSearch.BaseBytes && (packet.Traits & SentPacketTraits.MtuProbe) == 0 ? 1 : 0;
        if (!CountsInFlight(packet.Traits, packet.Path))
        {
            return;
        }

        BytesInFlight -= packet.Bytes;
        if ((packet.Traits & SentPacketTraits.MtuProbe) != 0)
        {
            return;
        }

        report.LostBytes += packet.Bytes;
        report.NewestLostSentAt = Instant.Max(report.NewestLostSentAt, packet.SentAt);
        if (packet.SentAt <= _firstSampleAt)
        {
            return;
        }

        if (_lostRunStartedAt == Instant.Never || AnyAcknowledgedBetween(_lostRunEnd, number))
        {
            _lostRunStartedAt = packet.SentAt;
        }

        _lostRunEnd = number;
        report.PersistentCongestion |= packet.SentAt - _lostRunStartedAt > Rtt.ProbeTimeout * PersistentCongestionProbeTimeouts;
    }

    private bool AnyAcknowledgedBetween(ulong lost, ulong laterLost)
    {
        for (ulong number = lost + 1; number < laterLost; number++)
        {
            if (_sent.IsResolved(number))
            {
                return true;
            }
        }

        return false;
    }
}
