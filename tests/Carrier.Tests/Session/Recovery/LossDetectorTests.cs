using Carrier.Core;
using Carrier.Core.Session.Recovery;
using CsCheck;

namespace Carrier.Tests.Session.Recovery;

public class LossDetectorTests
{
    private const int PacketBytes = 1_200;

    private readonly LossDetector _loss = new(new RttEstimator(Milliseconds(25)));

    [Fact]
    public void OnAckReceived_returns_what_the_packets_carried_in_order_and_empties_the_flight()
    {
        SendMany(10);
        Assert.Equal(10 * PacketBytes, _loss.BytesInFlight);

        RecoveryReport report = Ack(At(50), new AckRange(0, 9));

        Assert.Equal(AckOutcome.Accepted, report.Outcome);
        Assert.Equal(10, report.AckedPackets);
        Assert.Equal(10 * PacketBytes, report.AckedBytes);
        Assert.Equal(10 * PacketBytes, report.BytesInFlightBefore);
        Assert.Equal(0, _loss.BytesInFlight);
        Assert.Equal(Enumerable.Range(0, 10).Select(i => (long)i), DrainAcked());
        Assert.Equal(Milliseconds(50), _loss.Rtt.Smoothed);
        Assert.Equal(0, _loss.FrameRecords);
        Assert.Equal(Instant.Never, _loss.NextDeadline);
    }

    [Fact]
    public void OnAckReceived_three_packets_later_declares_loss()
    {
        SendMany(4);

        Assert.Equal(0, Ack(At(10), new AckRange(1, 2)).LostPackets);
        RecoveryReport report = Ack(At(10), new AckRange(1, 3));

        Assert.Equal(1, report.LostPackets);
        Assert.Equal(PacketBytes, report.LostBytes);
        Assert.Equal([0L], DrainLost());
        Assert.Equal(0, _loss.BytesInFlight);
    }

    [Fact]
    public void OnTimeout_nine_eighths_of_a_round_trip_after_sending_declares_loss()
    {
        SendMany(2);
        Ack(At(80), new AckRange(1, 1));

        Assert.Equal(At(90), _loss.NextDeadline);
        Assert.Equal(0, _loss.OnTimeout(At(89)).LostPackets);
        RecoveryReport report = _loss.OnTimeout(At(90));
        Assert.Equal(1, report.LostPackets);
        Assert.False(report.ProbeTimeout);
        Assert.Equal([0L], DrainLost());
    }

    [Fact]
    public void NextDeadline_follows_the_first_packet_after_an_ack_though_more_are_sent()
    {
        Send(At(0));
        Ack(At(40), new AckRange(0, 0));
        TimeSpan timeout = _loss.Rtt.ProbeTimeout;
        for (int i = 0; i < 5; i++)
        {
            Send(At(100 + (10 * i)));
            Assert.Equal(At(100) + timeout, _loss.NextDeadline);
        }

        Ack(At(145), new AckRange(1, 1));
        Assert.Equal(At(140) + _loss.Rtt.ProbeTimeout, _loss.NextDeadline);
        Send(At(150));
        Assert.Equal(At(150) + _loss.Rtt.ProbeTimeout, _loss.NextDeadline);
    }

    [Fact]
    public void OnTimeout_without_an_ack_probes_with_exponential_capped_backoff()
    {
        SendMany(3);
        Instant now = At(0);
        for (int i = 0; i < 10; i++)
        {
            TimeSpan expected = Milliseconds(1_024) * (1 << Math.Min(i, LossDetector.MaxProbeBackoffDoublings));
            Assert.Equal(now + expected, _loss.NextDeadline);
            now = _loss.NextDeadline;
            RecoveryReport report = _loss.OnTimeout(now);
            Assert.True(report.ProbeTimeout);
            Assert.Equal(0, report.LostPackets);
            Assert.Equal(2, _loss.ProbesOwed);
            Assert.Equal([0L, 1L], DrainLost());
        }

        Assert.Equal(3 * PacketBytes, _loss.BytesInFlight);
        Ack(now, new AckRange(0, 0));
        Assert.Equal(0, _loss.ProbeTimeouts);
    }

    [Fact]
    public void OnAckReceived_a_late_ack_widens_the_thresholds_and_reports_the_frames_as_acknowledged()
    {
        SendMany(10);
        Assert.Equal(7, Ack(At(10), new AckRange(9, 9)).LostPackets);
        DrainLost();
        DrainAcked();

        RecoveryReport report = Ack(At(11), new AckRange(0, 9));

        Assert.Equal(7, report.SpuriousLosses);
        Assert.Equal(Enumerable.Range(0, 9).Select(i => (long)i), DrainAcked());
        Assert.Equal(10, _loss.PacketThreshold);
        Assert.Equal(0, _loss.FrameRecords);
    }

    [Fact]
    public void OnAckReceived_of_a_number_never_sent_is_a_violation()
    {
        SendMany(3);

        Assert.Equal(AckOutcome.NeverSent, Ack(At(1), new AckRange(0, 3)).Outcome);
        Assert.Equal(AckOutcome.NeverSent, Ack(At(1), new AckRange(ulong.MaxValue, ulong.MaxValue)).Outcome);
        Assert.Equal(3, _loss.OutstandingPackets);
    }

    [Fact]
    public void OnAckReceived_of_a_skipped_number_is_a_violation()
    {
        SendMany(3);
        _loss.SkipPacketNumber(At(0));
        SendMany(3);

        Assert.Equal(AckOutcome.Accepted, Ack(At(1), new AckRange(4, 6), new AckRange(0, 2)).Outcome);
        Assert.Equal(AckOutcome.Skipped, Ack(At(2), new AckRange(0, 6)).Outcome);
    }

    [Fact]
    public void OnAckReceived_again_changes_nothing()
    {
        SendMany(5);
        Ack(At(10), new AckRange(0, 4));
        RecoveryReport again = Ack(At(90), new AckRange(0, 4));

        Assert.Equal(0, again.AckedPackets);
        Assert.Equal(Milliseconds(10), _loss.Rtt.Latest);
    }

    [Fact]
    public void OnPacketSent_not_ack_eliciting_is_neither_in_flight_nor_kept()
    {
        SentFrames frames = default;
        _loss.Record(ref frames, new SentFrame(2, false, 0, 0, 7));
        _loss.OnPacketSent(At(0), 60, SentPacketTraits.None, 0, ref frames);

        Assert.Equal(0, _loss.BytesInFlight);
        Assert.Equal(0, _loss.FrameRecords);
        Assert.Equal(1UL, _loss.NextPacketNumber);
        Assert.Equal(Instant.Never, _loss.NextDeadline);
        Assert.Equal(AckOutcome.Accepted, Ack(At(1), new AckRange(0, 0)).Outcome);
    }

    [Fact]
    public void OnAckReceived_losses_over_three_probe_timeouts_are_persistent_congestion()
    {
        Send(At(0));
        Ack(At(100), new AckRange(0, 0));
        // PTO = 100 + 200 + 25 = 325 ms; persistent after 975 ms.
        Send(At(200));
        Send(At(600));
        Send(At(1_200));
        Send(At(1_300));

        RecoveryReport report = Ack(At(1_400), new AckRange(4, 4));
        Assert.Equal(3, report.LostPackets);
        Assert.True(report.PersistentCongestion);
    }

    [Fact]
    public void OnAckReceived_an_arrival_between_the_losses_is_no_persistent_congestion()
    {
        Send(At(0));
        Ack(At(100), new AckRange(0, 0));
        Send(At(200));
        Send(At(600));
        Send(At(1_200));
        Send(At(1_300));

        RecoveryReport report = Ack(At(1_400), new AckRange(4, 4), new AckRange(2, 2));
        Assert.Equal(2, report.LostPackets);
        Assert.False(report.PersistentCongestion);
    }

    [Fact]
    public void OnAckReceived_a_lost_mtu_probe_is_no_congestion()
    {
        Send(At(0), traits: SentPacketTraits.AckEliciting | SentPacketTraits.InFlight | SentPacketTraits.MtuProbe);
        SendMany(3);

        RecoveryReport report = Ack(At(10), new AckRange(1, 3));

        Assert.Equal(1, report.LostPackets);
        Assert.Equal(0, report.LostBytes);
        Assert.Equal(0, _loss.BytesInFlight);
    }

    [Fact]
    public void SwitchPath_takes_old_packets_out_of_flight_and_lets_them_arrive_late()
    {
        SendMany(5);
        _loss.SwitchPath(1, new RttEstimator(Milliseconds(25)));
        Assert.Equal(0, _loss.BytesInFlight);
        for (int i = 0; i < 5; i++)
        {
            Send(At(1), path: 1);
        }

        RecoveryReport report = Ack(At(2), new AckRange(5, 9));
        Assert.Equal(5 * PacketBytes, report.AckedBytes);
        Assert.Equal(0, report.LostPackets);
        Assert.Equal(Milliseconds(1), _loss.Rtt.Latest);

        // What does not arrive is repaired after the old path's probe timeout, and is no congestion of the new path.
        Assert.Equal(At(1_024), _loss.NextDeadline);
        report = _loss.OnTimeout(At(1_024));
        Assert.Equal(5, report.LostPackets);
        Assert.Equal(0, report.LostBytes);
    }

    [Fact]
    public void HasRoom_a_peer_that_acknowledges_nothing_is_bounded()
    {
        while (_loss.HasRoom)
        {
            SendMany(1);
        }

        Assert.Equal(LossDetector.MaxOutstandingPackets, _loss.OutstandingPackets);
        Ack(At(10), new AckRange(0, 0));
        Assert.True(_loss.HasRoom);
        SendMany(1);
    }

    [Fact]
    public void Steady_state_allocates_nothing()
    {
        ulong acknowledged = 0;
        RunBatches(64, ref acknowledged);

        Assert.Equal(0, AllocatedBytes.LeastOf(() => RunBatches(1_000, ref acknowledged)));
        Assert.Equal(0, _loss.FrameRecords);
    }

    [Fact]
    public void Every_frame_sent_comes_back_exactly_as_often_as_its_packet_was_resolved() =>
        Gen.Select(Gen.Int[0, 9], Gen.Int[0, 30]).Array[1, 300].Sample(steps =>
        {
            var loss = new LossDetector(new RttEstimator(Milliseconds(25)));
            var delivered = new AckRanges();
            var acked = new HashSet<long>();
            var lost = new HashSet<long>();
            Instant now = At(0);
            Span<AckRange> ranges = stackalloc AckRange[AckRanges.MaxRanges];
            foreach ((int kind, int amount) in steps)
            {
                now += Milliseconds(amount);
                if (kind == 0)
                {
                    loss.SkipPacketNumber(now);
                }
                else if (kind < 7)
                {
                    ulong number = loss.NextPacketNumber;
                    Send(loss, now, 0);
                    _ = kind < 6 && delivered.TryAdd(number);
                }
                else if (kind < 9 && delivered.Count > 0)
                {
                    for (int i = 0; i < delivered.Count; i++)
                    {
                        ranges[i] = delivered[i];
                    }

                    Assert.Equal(AckOutcome.Accepted, loss.OnAckReceived(ranges[..delivered.Count], TimeSpan.Zero, now).Outcome);
                    while (loss.TryTakeAcked(out SentFrame frame))
                    {
                        Assert.True(acked.Add(frame.Offset), "A frame is acknowledged once.");
                        Assert.True(delivered.IsDuplicate((ulong)frame.Offset));
                    }
                }
                else
                {
                    loss.OnTimeout(now);
                }

                while (loss.TryTakeLost(out SentFrame frame))
                {
                    lost.Add(frame.Offset);
                }

                Assert.InRange(loss.BytesInFlight, 0, (long)loss.NextPacketNumber * PacketBytes);
                Assert.Equal(loss.OutstandingPackets * (long)PacketBytes, loss.BytesInFlight);
            }
        }, iter: 200);

    private void RunBatches(int batches, ref ulong acknowledged)
    {
        Span<AckRange> range = stackalloc AckRange[1];
        for (int batch = 0; batch < batches; batch++)
        {
            SendMany(44);
            range[0] = new AckRange(acknowledged, _loss.NextPacketNumber - 1);
            acknowledged = _loss.NextPacketNumber;
            _loss.OnAckReceived(range, TimeSpan.Zero, At(10));
            while (_loss.TryTakeAcked(out _))
            {
            }
        }
    }

    private void SendMany(int count)
    {
        for (int i = 0; i < count; i++)
        {
            Send(At(0));
        }
    }

    private void Send(
        Instant now, byte path = 0, SentPacketTraits traits = SentPacketTraits.AckEliciting | SentPacketTraits.InFlight) =>
        Send(_loss, now, path, traits);

    // One frame a packet, its offset the packet number.
    private static void Send(
        LossDetector loss, Instant now, byte path, SentPacketTraits traits = SentPacketTraits.AckEliciting | SentPacketTraits.InFlight)
    {
        SentFrames frames = default;
        loss.Record(ref frames, new SentFrame(8, false, PacketBytes, 4, (long)loss.NextPacketNumber));
        loss.OnPacketSent(now, PacketBytes, traits, path, ref frames);
    }

    private RecoveryReport Ack(Instant now, params AckRange[] newestFirst) => _loss.OnAckReceived(newestFirst, TimeSpan.Zero, now);

    private List<long> DrainAcked()
    {
        List<long> offsets = [];
        while (_loss.TryTakeAcked(out SentFrame frame))
        {
            offsets.Add(frame.Offset);
        }

        return offsets;
    }

    private List<long> DrainLost()
    {
        List<long> offsets = [];
        while (_loss.TryTakeLost(out SentFrame frame))
        {
            offsets.Add(frame.Offset);
        }

        return offsets;
    }

    private static Instant At(double milliseconds) => Instant.Zero + Milliseconds(milliseconds);

    private static TimeSpan Milliseconds(double value) => TimeSpan.FromMilliseconds(value);
}
