using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Identity;
using Carrier.Core.Session;
using Carrier.Core.Session.Buffers;
using Carrier.Core.Session.Streams;
using Carrier.Node.Sessions;

namespace Carrier.Tests.Node.Sessions;

public sealed class SessionTableTests : IDisposable
{
    private const int Sessions = 5;

    private static readonly byte[] ResetKey = new byte[32];

    private readonly SeededRandom _random = new(1);
    private readonly DropCounters _drops = new();
    private readonly SlabPool _pool = new(1_024, 64);
    private readonly SessionTable _table;
    private readonly NodeSession[] _sessions = new NodeSession[Sessions];
    private Instant _now = Instant.Zero + TimeSpan.FromSeconds(1);

    public SessionTableTests()
    {
        _table = new SessionTable(ResetKey, _drops);
        for (int i = 0; i < Sessions; i++)
        {
            _sessions[i] = Add((ushort)(1_000 + i));
        }
    }

    [Fact]
    public void TryTransmit_busy_sessions_send_in_turn()
    {
        foreach (NodeSession session in _sessions)
        {
            Assert.True(session.Machine.TryOpenStream(true, out StreamId id));
            session.Machine.Write(id, new byte[100_000]);
            _table.Touch(_now, session);
        }

        // Two packets a batch: the first window is several batches, so that turns show.
        byte[] buffer = new byte[2 * 1_200];
        List<ushort> order = [];
        while (_table.TryTransmit(_now, buffer, out Transmit transmit))
        {
            order.Add(transmit.Path.Remote.Port);
        }

        Assert.True(order.Count >= 4 * Sessions);
        for (int i = Sessions; i < order.Count; i++)
        {
            Assert.Equal(order[i - Sessions], order[i]);
        }

        Assert.Equal(Sessions, order.Distinct().Count());
    }

    [Fact]
    public void TryTransmit_joins_what_sessions_send_to_one_address()
    {
        NodeSession[] together = [.. Enumerable.Range(0, 8).Select(_ => Add(9_000))];
        foreach (NodeSession session in together)
        {
            Assert.True(session.Machine.TryOpenStream(true, out StreamId id));
            session.Machine.Write(id, new byte[100_000]);
            _table.Touch(_now, session);
        }

        byte[] buffer = new byte[65_536];
        Dictionary<ulong, int> packets = [];
        int sends = 0;
        while (_table.TryTransmit(_now, buffer, out Transmit transmit))
        {
            Assert.InRange(transmit.Bytes, transmit.SegmentBytes, 64 * transmit.SegmentBytes);
            for (int at = 0; at < transmit.Bytes; at += transmit.SegmentBytes)
            {
                Assert.True(SessionPacket.TryParse(buffer.AsSpan(at, Math.Min(transmit.SegmentBytes, transmit.Bytes - at)), out SessionPacket packet));
                packets[packet.Destination.Value] = packets.GetValueOrDefault(packet.Destination.Value) + 1;
            }

            sends += transmit.Path.Remote.Port == 9_000 ? 1 : 0;
        }

        Assert.All(together, session => Assert.Equal(11, packets[session.Machine.PeerId.Value])); // a first window, whole
        Assert.InRange(sends, 2, 4);
    }

    [Fact]
    public void NextDeadline_idle_sessions_share_their_wakings()
    {
        byte[] buffer = new byte[65_536];
        HashSet<Instant> wakings = [];
        while (_table.NextDeadline < Instant.Zero + TimeSpan.FromSeconds(60) && _table.All.Count == Sessions)
        {
            _now = _table.NextDeadline;
            wakings.Add(_now);
            _table.HandleTimeout(_now);
            while (_table.TryTransmit(_now, buffer, out _))
            {
            }
        }

        // By then probe timeouts have grown to seconds: what is far off falls on quarters of a second.
        Instant[] late = [.. wakings.Where(waking => waking > Instant.Zero + TimeSpan.FromSeconds(10))];
        Assert.NotEmpty(late);
        Assert.All(late, waking => Assert.Equal(0, waking.Nanoseconds % 250_000_000));
    }

    [Fact]
    public void TryReset_ends_the_session_it_names_and_no_other()
    {
        byte[] buffer = new byte[65_536];
        while (_table.TryTransmit(_now, buffer, out _))
        {
        }

        ConnectionId named = _sessions[3].Machine.PeerId;
        byte[] reset = new byte[SessionPacket.ResetBytes];
        SessionPacket.WriteReset(reset, named, ResetToken.Derive([1], named));
        Assert.False(_table.TryReset(_now, reset));

        SessionPacket.WriteReset(reset, named, ResetToken.Derive(ResetKey, named));
        Assert.True(_table.TryReset(_now, reset));
        Assert.False(_table.TryReset(_now, reset));
        Assert.Equal(_sessions.Where(session => session != _sessions[3]), _table.All.OrderBy(session => session.Id));
    }

    public void Dispose()
    {
        foreach (NodeSession session in _sessions)
        {
            _table.Remove(session);
        }
    }

    private NodeSession Add(ushort port)
    {
        byte[] secret = new byte[32];
        _random.Fill(secret);
        (ConnectionId local, ConnectionId remote) = (ConnectionId.Next(_random), ConnectionId.Next(_random));
        SessionMachine machine = new(
            new SessionSetup
            {
                Options = SessionOptions.Default,
                Suite = CipherSuite.ChaCha20Poly1305,
                SendSecret = secret,
                ReceiveSecret = secret,
                Role = SessionRole.Initiator,
                Local = TransportParameters.Default,
                Remote = TransportParameters.Default,
                LocalId = local,
                RemoteId = remote,
                RemoteResetToken = ResetToken.Derive(ResetKey, remote),
                ResetKey = ResetKey,
                Path = new NetworkPath(Session.SessionPair.Parse($"203.0.113.2:{port}")),
                Random = _random,
                Pool = _pool,
                Drops = _drops,
            },
            _now);
        NodeSession session = new(_table.NextSessionId(), machine, default(TrustId), "test/1", isInitiator: true);
        _table.Add(_now, session, local);
        return session;
    }
}
