using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Session;
using Carrier.Core.Session.Buffers;
using Carrier.Core.Session.Streams;

namespace Carrier.Tests.Session;

/// <summary>What the virtual wire does to datagrams.</summary>
internal sealed record Wire
{
    public TimeSpan Delay { get; init; } = TimeSpan.FromMilliseconds(10);

    public TimeSpan Jitter { get; init; }

    public double Loss { get; init; }

    public double Duplication { get; init; }
}

/// <summary>One end of a pair: a machine and where it is.</summary>
internal sealed class SessionEnd(SessionMachine machine, SlabPool pool, DropCounters drops)
{
    public SessionMachine Machine { get; } = machine;

    public SlabPool Pool { get; } = pool;

    public DropCounters Drops { get; } = drops;

    public List<SessionEffect> Effects { get; } = [];

    /// <summary>The addresses packets of this end may be sent to, and the one they seem to come from, on each network.</summary>
    public Endpoint Address { get; set; }

    public Dictionary<ulong, MemoryStream> Received { get; } = [];

    public HashSet<ulong> Finished { get; } = [];

    public bool AutoRead { get; set; } = true;

    public bool Has(SessionEffectKind kind) => Effects.Exists(effect => effect.Kind == kind);
}

/// <summary>Two machines, a seeded virtual wire between them, virtual time.</summary>
internal sealed class SessionPair
{
    public static readonly Endpoint InitiatorAddress = Parse("198.51.100.1:1000");
    public static readonly Endpoint ResponderAddress = Parse("203.0.113.2:2000");
    public static readonly Endpoint RelayAddress = Parse("192.0.2.9:9000");
    public static readonly byte[] ResetKey = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];
    public const ulong RelayChannel = 77;

    private readonly PriorityQueue<(SessionEnd To, NetworkPath Path, byte[] Packet), (long At, long Order)> _wire = new();
    private readonly byte[] _buffer = new byte[65_536];
    private readonly byte[] _reading = new byte[65_536];
    private long _order;

    public SessionPair(
        ulong seed = 1, Wire? wire = null, SessionOptions? options = null, TransportParameters? parameters = null, bool relayed = false,
        CipherSuite suite = CipherSuite.ChaCha20Poly1305, int initiatorSlabs = 4_096)
    {
        Random = new SeededRandom(seed);
        Wire = wire ?? new Wire();
        Random.Fill(Up);
        Random.Fill(Down);
        (InitiatorId, ResponderId) = (ConnectionId.Next(Random), ConnectionId.Next(Random));
        Initiator = Make(SessionRole.Initiator, Up, Down, InitiatorId, ResponderId, relayed);
        Responder = Make(SessionRole.Responder, Down, Up, ResponderId, InitiatorId, relayed);
        Initiator.Address = InitiatorAddress;
        Responder.Address = ResponderAddress;

        SessionEnd Make(SessionRole role, byte[] send, byte[] receive, ConnectionId local, ConnectionId remote, bool relay)
        {
            SlabPool pool = new(role == SessionRole.Initiator ? initiatorSlabs : 4_096, 64);
            DropCounters drops = new();
            Endpoint peer = role == SessionRole.Initiator ? ResponderAddress : InitiatorAddress;
            SessionSetup setup = new()
            {
                Options = options ?? SessionOptions.Default,
                Suite = suite,
                SendSecret = send,
                ReceiveSecret = receive,
                Role = role,
                Local = parameters ?? TransportParameters.Default,
                Remote = parameters ?? TransportParameters.Default,
                LocalId = local,
                RemoteId = remote,
                RemoteResetToken = ResetToken.Derive(ResetKey, remote),
                ResetKey = ResetKey,
                Path = relay ? new NetworkPath(RelayAddress, RelayChannel) : new NetworkPath(peer),
                Random = new SeededRandom(seed + (ulong)role + 10),
                Pool = pool,
                Drops = drops,
            };
            return new SessionEnd(new SessionMachine(setup, Now), pool, drops);
        }
    }

    /// <summary>The secret of packets to the responder.</summary>
    public byte[] Up { get; } = new byte[32];

    /// <summary>The secret of packets to the initiator.</summary>
    public byte[] Down { get; } = new byte[32];

    public ConnectionId InitiatorId { get; }

    public ConnectionId ResponderId { get; }

    public SeededRandom Random { get; }

    public Wire Wire { get; set; }

    public Instant Now { get; set; } = Instant.Zero + TimeSpan.FromSeconds(1);

    public SessionEnd Initiator { get; }

    public SessionEnd Responder { get; }

    /// <summary>Decides the fate of a datagram; null drops it silently, for example at a dead path.</summary>
    public Func<SessionEnd, NetworkPath, int, bool> Passes { get; set; } = (_, _, _) => true;

    /// <summary>Every datagram that left, before loss.</summary>
    public Action<SessionEnd, NetworkPath, byte[]>? Sent { get; set; }

    public long Transmissions { get; private set; }

    public static Endpoint Parse(string text)
    {
        Assert.True(Endpoint.TryParse(text, out Endpoint endpoint));
        return endpoint;
    }

    public SessionEnd Other(SessionEnd end) => end == Initiator ? Responder : Initiator;

    /// <summary>Runs until the condition holds or virtual time is up.</summary>
    public bool RunUntil(Func<bool> done, TimeSpan limit)
    {
        Instant end = Now + limit;
        while (true)
        {
            Pump(Initiator);
            Pump(Responder);
            if (done())
            {
                return true;
            }

            Instant next = Instant.Min(Initiator.Machine.NextDeadline, Responder.Machine.NextDeadline);
            if (_wire.TryPeek(out _, out (long At, long Order) first))
            {
                next = Instant.Min(next, new Instant(first.At));
            }

            if (next > end)
            {
                Now = end;
                return done();
            }

            Now = Instant.Max(Now, next);
            Deliver();
            Wake(Initiator);
            Wake(Responder);
        }
    }

    public void Run(TimeSpan time) => RunUntil(() => false, time);

    public void Inject(SessionEnd to, in NetworkPath path, byte[] packet) => to.Machine.Handle(Now, path, packet);

    /// <summary>Sends what a machine has to send, reads what it received.</summary>
    public void Pump(SessionEnd end)
    {
        Drain(end);
        while (end.Machine.TryTransmit(Now, _buffer, out Transmit transmit))
        {
            Transmissions++;
            Assert.InRange(transmit.Bytes, 1, _buffer.Length);
            for (int at = 0; at < transmit.Bytes; at += transmit.SegmentBytes)
            {
                int length = Math.Min(transmit.SegmentBytes, transmit.Bytes - at);
                Send(end, transmit.Path, _buffer.AsSpan(at + transmit.Path.HeaderBytes, length - transmit.Path.HeaderBytes).ToArray());
            }
        }

        Drain(end);
    }

    private void Wake(SessionEnd end)
    {
        if (end.Machine.NextDeadline <= Now)
        {
            end.Machine.HandleTimeout(Now);
        }
    }

    private void Deliver()
    {
        while (_wire.TryPeek(out (SessionEnd To, NetworkPath Path, byte[] Packet) item, out (long At, long Order) key) && key.At <= Now.Nanoseconds)
        {
            _wire.Dequeue();
            item.To.Machine.Handle(Now, item.Path, item.Packet);
        }
    }

    private void Send(SessionEnd from, NetworkPath path, byte[] packet)
    {
        SessionEnd to = Other(from);
        Sent?.Invoke(from, path, packet);

        // Only packets to where the other end is arrive; they seem to come from where this end is.
        bool arrives = path.IsRelayed || path.Remote == to.Address;
        if (!arrives || !Passes(from, path, packet.Length) || Random.NextFraction() < Wire.Loss)
        {
            return;
        }

        NetworkPath seen = path.IsRelayed ? path : new NetworkPath(from.Address);
        int copies = Random.NextFraction() < Wire.Duplication ? 2 : 1;
        for (int i = 0; i < copies; i++)
        {
            Instant at = Now + Wire.Delay + (Wire.Jitter * Random.NextFraction());
            _wire.Enqueue((to, seen, (byte[])packet.Clone()), (at.Nanoseconds, _order++));
        }
    }

    private void Drain(SessionEnd end)
    {
        while (end.Machine.TryEffect(out SessionEffect effect))
        {
            end.Effects.Add(effect);
            if (effect.Kind == SessionEffectKind.StreamReadable && end.AutoRead)
            {
                ReadAll(end, effect.Stream);
            }
        }
    }

    public void ReadAll(SessionEnd end, StreamId id)
    {
        if (!end.Received.TryGetValue(id.Value, out MemoryStream? into))
        {
            end.Received[id.Value] = into = new MemoryStream();
        }

        int read;
        do
        {
            read = end.Machine.Read(Now, id, _reading, out bool finished);
            into.Write(_reading, 0, read);
            if (finished)
            {
                end.Finished.Add(id.Value);
            }
        }
        while (read > 0);
    }
}
