using Carrier.Core;
using Carrier.Core.Handshake;
using Carrier.Core.Session;
using Carrier.Nat;
using Carrier.Node.Homes;
using Carrier.Node.Peers;
using Carrier.Node.Sessions;

namespace Carrier.Node.Dialing;

/// <summary>The attempt to reach one device: one initiation, sent over every way there is until one copy is answered.</summary>
internal sealed class DialAttempt(Dial dial, PeerDevice device, HandshakeInitiator initiator, ConnectionId localId, PunchSchedule schedule) : Deadlined, IDisposable
{
    /// <summary>The wait for an answer over one home before the next is asked too.</summary>
    public static readonly TimeSpan HomeGap = TimeSpan.FromMilliseconds(150);

    /// <summary>The first wait before an initiation over an open relay channel is repeated; it doubles.</summary>
    public static readonly TimeSpan FirstRelayGap = TimeSpan.FromMilliseconds(250);

    /// <summary>How often one home is asked in a dial: under heavy loss a question and its repetition may both be lost.</summary>
    private const int MaxAsksPerHome = 3;

    private readonly Dictionary<HomeContact, int> _silences = [];

    public Dial Dial { get; } = dial;

    public PeerDevice Device { get; set; } = device;

    public HandshakeInitiator Initiator { get; } = initiator;

    public ConnectionId LocalId { get; } = localId;

    /// <summary>When direct copies leave. Mutable: taking a probe advances it.</summary>
    public PunchSchedule Schedule = schedule;

    /// <summary>Where direct copies go.</summary>
    public List<NetworkPath> Direct { get; } = [];

    /// <summary>Homes of the device not asked yet, best first.</summary>
    public Queue<HomeContact> Homes { get; } = new();

    /// <summary>Homes of the device that a tunnel is to lead to, until <see cref="TunnelsUntil"/>.</summary>
    public List<HomeContact> AwaitingTunnel { get; } = [];

    public Instant TunnelsUntil { get; set; } = Instant.Never;

    public HashSet<HomeContact> HomesAsked { get; } = [];

    /// <summary>Relay channels to the device that are open.</summary>
    public List<NetworkPath> Relays { get; } = [];

    /// <summary>Homes asked that have not said yet.</summary>
    public int HomesPending { get; set; }

    public Instant BegunAt { get; init; }

    /// <summary>Until then direct copies to a device behind a NAT open ours and go no farther.</summary>
    public Instant EarlyUntil { get; set; }

    /// <summary>Whether a copy went to where this device, or another dialled before, answered.</summary>
    public bool HasKnocked { get; set; }

    public Instant NextHomeAt { get; set; } = Instant.Never;

    public Instant NextRelayAt { get; set; } = Instant.Never;

    public TimeSpan RelayGap { get; set; } = FirstRelayGap;

    public Instant WakeAt => Instant.Min(Schedule.NextProbe, Instant.Min(Instant.Min(Homes.Count > 0 ? NextHomeAt : Instant.Never, NextRelayAt), TunnelsUntil));

    /// <summary>No home leads to the device: it names none, or none of them answered.</summary>
    public bool HasNoHome => Homes.Count == 0 && AwaitingTunnel.Count == 0 && HomesPending == 0 && Relays.Count == 0;

    /// <summary>Nothing is left to try: no direct probe, no home, no channel.</summary>
    public bool IsExhausted => WakeAt == Instant.Never && HasNoHome;

    /// <summary>False once its dial ended; late answers to it are then nobody's.</summary>
    public bool IsAlive { get; private set; } = true;

    /// <summary>A home did not answer: the next is asked now, and this one again after the others.</summary>
    public void HomeWasSilent(Instant now, HomeContact home)
    {
        int silences = _silences.GetValueOrDefault(home) + 1;
        _silences[home] = silences;
        NextHomeAt = now;
        if (silences < MaxAsksPerHome)
        {
            Homes.Enqueue(home);
        }
    }

    public void Dispose()
    {
        IsAlive = false;
        Initiator.Dispose();
    }
}
