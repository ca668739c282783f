namespace Carrier.Core.Session.Recovery;

/// <summary>
/// Whether packets may be marked ECT(0): RFC 9000 §13.4.2 and §A.4. The first packets of a path are; a path that bleaches, mangles or drops marks, and a
/// peer that cannot count them, is found out, and nothing is marked from then on.
/// </summary>
public sealed class EcnValidation
{
    /// <summary>Packets marked before the path has proven itself.</summary>
    public const int TestingPackets = 10;

    private enum State
    {
        Testing,
        Capable,
        Failed,
    }

    private State _state;
    private EcnCounts _told;
    private ulong _markedSent;
    private int _testsSent;

    /// <summary>Mark what is sent now.</summary>
    public bool Marks => _state == State.Capable || (_state == State.Testing && _testsSent < TestingPackets);

    public bool HasFailed => _state == State.Failed;

    /// <summary>Another path is used from now on: it is tested anew.</summary>
    public void Restart() => (_state, _testsSent) = (State.Testing, 0);

    /// <summary>Packets left marked ECT(0).</summary>
    public void OnMarkedSent(int packets)
    {
        _markedSent += (ulong)packets;
        _testsSent = (int)Math.Min(_testsSent + (long)packets, int.MaxValue);
    }

    /// <summary>Nothing comes back. Before the path was proven, marks may be the reason.</summary>
    public void OnProbeTimeout() => _state = _state == State.Testing && _testsSent > 0 ? State.Failed : _state;

    /// <summary>An ACK arrived; true when it tells of congestion.</summary>
    /// <param name="counts">What it counted; null when it did not.</param>
    /// <param name="newlyAckedMarked">Packets sent marked that it is the first to acknowledge.</param>
    /// <param name="advances">It acknowledges a larger number than any before; older ones came late and their counts are old.</param>
    public bool OnAck(EcnCounts? counts, int newlyAckedMarked, bool advances)
    {
        if (_state == State.Failed || !advances)
        {
            return false;
        }

        if (counts is not { } told)
        {
            _state = newlyAckedMarked > 0 ? State.Failed : _state;
            return false;
        }

        bool fell = told.Capable0 < _told.Capable0 || told.Capable1 < _told.Capable1 || told.CongestionExperienced < _told.CongestionExperienced;
        ulong grown = told.Capable0 - _told.Capable0 + (told.CongestionExperienced - _told.CongestionExperienced);
        bool lies = fell || told.Capable1 > 0 || grown < (ulong)newlyAckedMarked || told.Capable0 + told.CongestionExperienced > _markedSent;
        bool congested = told.CongestionExperienced > _told.CongestionExperienced;
        _told = told;
        if (lies)
        {
            _state = State.Failed;
            return false;
        }

        _state = newlyAckedMarked > 0 ? State.Capable : _state;
        return congested;
    }
}
