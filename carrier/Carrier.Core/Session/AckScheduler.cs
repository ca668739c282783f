using System.Runtime.CompilerServices;
using Carrier.Core.Session.Frames;
using Carrier.Core.Session.Recovery;

namespace Carrier.Core.Session;

/// <summary>Which packets arrived and when to say so (RFC 9000 §13.2): at once on disorder, a mark of congestion or PING, else with the next two ack-eliciting packets,
/// and after <see cref="MaxDelay"/> at the latest.</summary>
/// <remarks>An ACK is only written when packets are asked for, so one received batch makes one.</remarks>
internal sealed class AckScheduler
{
    /// <summary>Ack-eliciting packets that make an ACK due.</summary>
    private const int ElicitingThreshold = 2;

    private readonly AckRanges _received = new();
    private int _eliciting;
    private Instant _dueAt = Instant.Never;
    private Instant _largestAt;
    private EcnCounts _ecn;

    /// <summary>Fixed by the protocol, so that both sides' probe timeouts count on it.</summary>
    public static TimeSpan MaxDelay => TimeSpan.FromMilliseconds(25);

    public Instant DueAt => _dueAt;

    public ulong NextExpected => _received.Count == 0 ? 0 : _received.Largest + 1;

    public bool IsDuplicate(ulong packetNumber) => _received.IsDuplicate(packetNumber);

    public bool IsDue(Instant now) => now >= _dueAt;

    /// <summary>Something ack-eliciting is not acknowledged yet: an ACK may ride along.</summary>
    public bool HasNews => _eliciting > 0;

    /// <summary>Notes a packet that was authentic and wholly processed. <paramref name="isAsked"/> when the peer has nothing else to say than that it waits for the
    /// acknowledgement: a timer would then cost more than it saves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void OnPacket(Instant now, ulong packetNumber, bool ackEliciting, EcnCodepoint ecn, bool isAsked = false)
    {
        bool inOrder = packetNumber == NextExpected;
        if (!_received.TryAdd(packetNumber))
        {
            return;
        }

        if (packetNumber == _received.Largest)
        {
            _largestAt = now;
        }

        _ecn.Count(ecn);
        if (ackEliciting)
        {
            _eliciting++;
            bool mayWait = inOrder && !isAsked && _eliciting < ElicitingThreshold && ecn != EcnCodepoint.CongestionExperienced;
            _dueAt = mayWait ? Instant.Min(_dueAt, now + MaxDelay) : now;
        }
    }

    /// <summary>Writes ACK with as many ranges as fit, newest first; false, writing nothing, when not even one does.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryWrite(Instant now, ref FrameWriter writer, out ulong largest)
    {
        largest = _received.Largest;
        if (_received.Count == 0)
        {
            return false;
        }

        AckRange newest = _received[0];
        ulong delay = (ulong)Math.Max(0, (now - _largestAt).TotalMicroseconds);
        int count = writer.CountAckRanges(_received, delay, _ecn);
        FrameType type = _ecn.Any ? FrameType.AckEcn : FrameType.Ack;
        if (count < 0 || !writer.TryWriteNumbers(type, newest.Largest, delay, (ulong)count, newest.Largest - newest.Smallest))
        {
            return false;
        }

        for (int i = 1; i <= count; i++)
        {
            writer.Put(_received[i - 1].Smallest - _received[i].Largest - 2);
            writer.Put(_received[i].Largest - _received[i].Smallest);
        }

        if (_ecn.Any)
        {
            writer.Put(_ecn.Capable0);
            writer.Put(_ecn.Capable1);
            writer.Put(_ecn.CongestionExperienced);
        }

        _eliciting = 0;
        _dueAt = Instant.Never;
        return true;
    }

    /// <summary>The peer has an ACK of ours that told up to <paramref name="largest"/>: older ranges need not be told again.</summary>
    public void OnAckAcknowledged(ulong largest) => _received.ForgetBelow(largest);
}
