using Carrier.Core.Session.Recovery;

namespace Carrier.Core.Session.Paths;

/// <summary>One path of a session: whether it works, how fast it is, and its probes.</summary>
/// <remarks>
/// A path is learnt to work, and its size and round trip are measured, by one thing: a PATH_CHALLENGE answered by PATH_RESPONSE over it. Challenges to
/// both ends' candidates at once are the hole punch.
/// </remarks>
internal sealed class PathState
{
    /// <summary>Challenges of one round, at 0, 30, 60, 120 ... 3,840 ms: what a punch or a silent path gets before it is given up.</summary>
    public const int MaxAttempts = 9;

    /// <summary>Challenges whose answer would still count.</summary>
    private const int MaxOutstanding = 12;

    /// <summary>How much more than it sent us an unproven address may be sent (RFC 9000 §8.1).</summary>
    private const int AmplificationFactor = 3;

    /// <summary>What an address that was proven once counts for at most, when it must prove itself again.</summary>
    private const long MaxCreditBytes = 64 * 1024;

    private const long BytesBeforeMtuSearch = 10 * MtuSearch.BaseBytes;

    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(30);

    private Probe[] _probes = new Probe[2]; // most paths never have more on their way
    private int _nextProbe;
    private int _attempts;

    public PathState(byte id, in NetworkPath path, int ceilingBytes, CongestionControl congestion)
    {
        Id = id;
        Path = path;
        Rtt = new RttEstimator(AckScheduler.MaxDelay);
        Congestion = CongestionController.Create(congestion, Rtt, MtuSearch.BaseBytes);
        Pacer = new Pacer(MtuSearch.BaseBytes);
        Mtu = new MtuSearch(path.IsRelayed ? MtuSearch.BaseBytes : ceilingBytes);
    }

    private record struct Probe(ulong Token, Instant SentAt, int MtuBytes);

    /// <summary>What sent packets are marked with; unlike a slot it is not soon used again.</summary>
    public byte Id { get; }

    public NetworkPath Path { get; }

    public RttEstimator Rtt { get; }

    public CongestionController Congestion { get; }

    public Pacer Pacer { get; }

    public MtuSearch Mtu { get; }

    /// <summary>When to probe for a larger size: not before the path has carried about a first window, since a session that says little gains nothing by it.</summary>
    public Instant MtuProbeAt => IsValidated && SentBytes >= BytesBeforeMtuSearch ? Mtu.NextProbeAt : Instant.Never;

    public bool IsValidated { get; private set; }

    /// <summary>Our own node named this path, so probes to it are not owed to a stranger's packet.</summary>
    public bool IsConsented { get; set; }

    /// <summary>When an authentic packet last came over it.</summary>
    public Instant HeardAt { get; set; }

    public long ReceivedBytes { get; set; }

    public long SentBytes { get; set; }

    /// <summary>The token of the newest challenge not yet answered: one, whatever the peer sends.</summary>
    public ulong? ResponseOwed { get; set; }

    /// <summary>When the next challenge of the round is due.</summary>
    public Instant NextChallengeAt { get; private set; } = Instant.Never;

    /// <summary>The round ended without an answer.</summary>
    public bool HasFailed => _attempts >= MaxAttempts;

    /// <summary>Challenged for half a second without an answer: as good as failed when another wants its place.</summary>
    public bool HasHadItsChance => _attempts >= 6;

    public bool WantsChallenge(Instant now) => NextChallengeAt <= now && !HasFailed;

    /// <summary>Better is higher: direct beats relayed, and a nearer network beats the open one.</summary>
    public int Rank => (Path.IsRelayed ? 0 : 16) + (int)AddressScope.Global - (int)Path.Remote.Scope;

    /// <summary>Whether <paramref name="bytes"/> may be sent before the address is proven.</summary>
    public bool MaySend(int bytes) => IsValidated || IsConsented || SentBytes + bytes <= AmplificationFactor * ReceivedBytes;

    /// <summary>Starts a round of challenges; the path stays what it was until they are answered or fail.</summary>
    public void BeginRound(Instant at)
    {
        _attempts = 0;
        NextChallengeAt = at;
    }

    /// <summary>The path stopped working: it must prove itself again.</summary>
    public void Suspect(Instant now)
    {
        IsValidated = false;
        SentBytes = 0; // what went there while it was proven is not held against it, nor is what came from there credit without end
        ReceivedBytes = Math.Min(ReceivedBytes, MaxCreditBytes);
        BeginRound(now);
    }

    /// <summary>Notes a challenge as sent. <paramref name="mtuBytes"/> is its size when it searches for the path MTU, else 0.</summary>
    public void OnChallengeSent(Instant now, ulong token, int mtuBytes)
    {
        if (_nextProbe == _probes.Length)
        {
            Array.Resize(ref _probes, Math.Min(2 * _probes.Length, MaxOutstanding));
        }

        _probes[_nextProbe] = new(token, now, mtuBytes);
        _nextProbe = (_nextProbe + 1) % MaxOutstanding;
        if (mtuBytes == 0)
        {
            NextChallengeAt = now + (FirstRetry * (_attempts == 0 ? 1 : 1 << (_attempts - 1)));
            _attempts++;
        }
    }

    /// <summary>A response came over any path to a challenge sent over this one: false when it answers none.</summary>
    public bool OnResponse(Instant now, ulong token)
    {
        int index = Array.FindIndex(_probes, probe => probe.Token == token && token != 0);
        if (index < 0)
        {
            return false;
        }

        Probe answered = _probes[index];
        _probes[index] = default;
        if (answered.MtuBytes != 0)
        {
            Mtu.OnProbeArrived(now, answered.MtuBytes);
            TakeSize();
            return true;
        }

        Validate();
        if (!Rtt.HasSample)
        {
            Rtt.Sample(now - answered.SentAt, TimeSpan.Zero);
        }

        return true;
    }

    /// <summary>Learns from what arrived and what did not whether full packets still fit the path.</summary>
    public void CheckSize(Instant now, in RecoveryReport report)
    {
        if (Mtu.DetectBlackHole(now, report))
        {
            TakeSize();
        }
    }

    /// <summary>Nothing arrives: full packets may be why.</summary>
    public void OnBlackHole(Instant now)
    {
        Mtu.OnBlackHole(now);
        TakeSize();
    }

    public void Validate()
    {
        IsValidated = true;
        _attempts = 0;
        NextChallengeAt = Instant.Never;
    }

    private void TakeSize()
    {
        Congestion.MaxDatagramBytes = Mtu.CurrentBytes;
        Pacer.MaxDatagramBytes = Mtu.CurrentBytes;
    }
}
