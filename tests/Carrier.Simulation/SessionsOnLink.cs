using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Session;
using Carrier.Core.Session.Buffers;
using Carrier.Core.Session.Streams;
using Carrier.Lab.Links;

namespace Carrier.Simulation;

/// <summary>Sessions that each send one endless stream over the same emulated link, in virtual time: what congestion control makes of a bottleneck.</summary>
/// <remarks>Machines are the shipped ones, sealing and opening every packet. Both directions have the same conditions and queues of their own.</remarks>
public sealed class SessionsOnLink : IDisposable
{
    /// <summary>IPv4 and UDP headers, which the link counts.</summary>
    private const int HeaderBytes = 28;

    private const int MaxSlabs = 8_192;
    private const int MaxRetainedSlabs = 256;

    private readonly PriorityQueue<(FlowEnd To, byte[] Packet, EcnCodepoint Ecn), (long Due, long Order)> _underWay = new();
    private readonly byte[] _buffer = new byte[65_536];
    private readonly FlowEnd[] _ends;
    private long _order;

    public SessionsOnLink(LinkConditions conditions, int seed, params ReadOnlySpan<SessionOptions> flows)
    {
        Forward = new EmulatedLink(conditions, seed);
        Backward = new EmulatedLink(conditions, seed + 1);
        SeededRandom random = new((ulong)seed);
        Flows = new Flow[flows.Length];
        for (int i = 0; i < flows.Length; i++)
        {
            Flows[i] = new Flow(flows[i], random, Now, i);
        }

        _ends = [.. Flows.SelectMany(flow => new[] { flow.Sender, flow.Receiver })];
    }

    public Instant Now { get; private set; } = Instant.Zero + TimeSpan.FromSeconds(1);

    public EmulatedLink Forward { get; }

    public EmulatedLink Backward { get; }

    public Flow[] Flows { get; }

    /// <summary>Packets that left marked ECT, in both directions.</summary>
    public long MarkedPackets { get; private set; }

    public LinkConditions Conditions
    {
        set => (Forward.Conditions, Backward.Conditions) = (value, value);
    }

    /// <summary>Begins a flow's stream; it sends for ever, or as many bytes as told.</summary>
    public void Begin(Flow flow, long bytes = long.MaxValue)
    {
        flow.Begin(bytes);
        flow.Write();
        Pump(flow.Sender);
    }

    public void RunFor(TimeSpan time) => RunUntil(() => false, time);

    public bool RunUntil(Func<bool> done, TimeSpan limit)
    {
        Instant end = Now + limit;
        foreach (FlowEnd each in _ends)
        {
            Pump(each);
        }

        while (!done())
        {
            Instant next = _underWay.TryPeek(out _, out (long Due, long Order) first) ? new Instant(first.Due) : Instant.Never;
            foreach (FlowEnd each in _ends)
            {
                next = Instant.Min(next, each.Machine.NextDeadline);
            }

            if (next > end)
            {
                Now = end;
                return false;
            }

            Now = Instant.Max(Now, next);
            Step();
        }

        return true;
    }

    public void Dispose()
    {
        foreach (FlowEnd end in _ends)
        {
            end.Machine.Dispose();
        }
    }

    private void Step()
    {
        while (_underWay.TryPeek(out (FlowEnd To, byte[] Packet, EcnCodepoint Ecn) item, out (long Due, long Order) key) && key.Due <= Now.Nanoseconds)
        {
            _underWay.Dequeue();
            NetworkPath path = new(item.To.Peer);
            item.To.Machine.Handle(Now, path, item.Packet, item.Ecn);
            Pump(item.To);
        }

        foreach (FlowEnd end in _ends)
        {
            if (end.Machine.NextDeadline <= Now)
            {
                end.Machine.HandleTimeout(Now);
                Pump(end);
            }
        }
    }

    private void Pump(FlowEnd end)
    {
        end.Flow.Drain(end, Now);
        while (end.Machine.TryTransmit(Now, _buffer, out Transmit transmit))
        {
            for (int at = 0; at < transmit.Bytes; at += transmit.SegmentBytes)
            {
                Send(end, _buffer.AsSpan(at, Math.Min(transmit.SegmentBytes, transmit.Bytes - at)), transmit.Ecn);
            }
        }
    }

    private void Send(FlowEnd from, ReadOnlySpan<byte> packet, EcnCodepoint ecn)
    {
        EmulatedLink link = from.Machine.Role == SessionRole.Initiator ? Forward : Backward;
        LinkVerdict verdict = link.Admit(Now.Nanoseconds, packet.Length + HeaderBytes, ecn != EcnCodepoint.NotCapable);
        EcnCodepoint arrives = link.Conditions.Bleaches ? EcnCodepoint.NotCapable : verdict.IsMarked ? EcnCodepoint.CongestionExperienced : ecn;
        MarkedPackets += ecn == EcnCodepoint.NotCapable ? 0 : 1;
        for (int i = 0; i < verdict.Copies; i++)
        {
            _underWay.Enqueue((from.Other, packet.ToArray(), arrives), (verdict.DueNanoseconds, _order++));
        }
    }

    /// <summary>One end of a session.</summary>
    public sealed class FlowEnd(Flow flow, SessionMachine machine, Endpoint peer)
    {
        public Flow Flow { get; } = flow;

        public SessionMachine Machine { get; } = machine;

        public Endpoint Peer { get; } = peer;

        internal FlowEnd Other => this == Flow.Sender ? Flow.Receiver : Flow.Sender;
    }

    /// <summary>A session whose initiator sends and whose responder counts and checks.</summary>
    public sealed class Flow
    {
        private const int PatternBytes = 65_521;
        private static readonly byte[] Pattern = MakePattern();

        private readonly byte[] _reading = new byte[65_536];
        private StreamId _stream;
        private long _sendBytes;
        private long _written;
        private Instant _lastArrival = Instant.Never;

        internal Flow(SessionOptions options, SeededRandom random, Instant now, int number)
        {
            byte[] up = new byte[PacketCipher.SecretBytes];
            byte[] down = new byte[PacketCipher.SecretBytes];
            random.Fill(up);
            random.Fill(down);
            (ConnectionId first, ConnectionId second) = (ConnectionId.Next(random), ConnectionId.Next(random));
            var sender = Endpoint.FromIPv4(0xC6336401, (ushort)(1_000 + number));
            var receiver = Endpoint.FromIPv4(0xCB007101, (ushort)(1_000 + number));
            Sender = new(this, Make(SessionRole.Initiator, up, down, first, second, receiver), receiver);
            Receiver = new(this, Make(SessionRole.Responder, down, up, second, first, sender), sender);

            SessionMachine Make(SessionRole role, byte[] send, byte[] receive, ConnectionId local, ConnectionId remote, Endpoint peer) => new(
                new SessionSetup
                {
                    Options = options,
                    Suite = CipherSuite.ChaCha20Poly1305,
                    SendSecret = send,
                    ReceiveSecret = receive,
                    Role = role,
                    Local = Parameters,
                    Remote = Parameters,
                    LocalId = local,
                    RemoteId = remote,
                    RemoteResetToken = ResetToken.Derive(up, remote),
                    ResetKey = up,
                    Path = new NetworkPath(peer),
                    Random = random.Fork(),
                    Pool = new SlabPool(MaxSlabs, MaxRetainedSlabs),
                    Drops = new DropCounters(),
                },
                now);
        }

        public FlowEnd Sender { get; }

        public FlowEnd Receiver { get; }

        public SessionStatistics Statistics => Sender.Machine.Statistics;

        /// <summary>Bytes the receiver's application read, each checked.</summary>
        public long ReceivedBytes { get; private set; }

        public bool IsComplete { get; private set; }

        /// <summary>The longest time between two arrivals since <see cref="WatchStalls"/>.</summary>
        public TimeSpan LongestStall { get; private set; }

        private static TransportParameters Parameters { get; } = TransportParameters.Default with { MaxPacketBytes = 9_000 };

        public void WatchStalls() => (LongestStall, _lastArrival) = (TimeSpan.Zero, Instant.Never);

        internal void Begin(long bytes)
        {
            _sendBytes = bytes;
            if (!Sender.Machine.TryOpenStream(bidirectional: false, out _stream))
            {
                throw new InvalidOperationException("The session opens no stream.");
            }
        }

        internal void Write()
        {
            int written = 1;
            while (_written < _sendBytes && written > 0)
            {
                int at = (int)(_written % PatternBytes);
                written = Sender.Machine.Write(_stream, Pattern.AsSpan(at, (int)Math.Min(PatternBytes - at, _sendBytes - _written)));
                _written += written;
            }

            if (_written == _sendBytes)
            {
                Sender.Machine.Finish(_stream);
            }
        }

        internal void Drain(FlowEnd end, Instant now)
        {
            while (end.Machine.TryEffect(out SessionEffect effect))
            {
                if (effect.Kind == SessionEffectKind.StreamWritable)
                {
                    Write();
                }
                else if (effect.Kind == SessionEffectKind.StreamReadable)
                {
                    Read(now, effect.Stream);
                }
                else if (effect.Kind == SessionEffectKind.Closed)
                {
                    throw new InvalidOperationException($"The session ended: {end.Machine.CloseReason}.");
                }
            }
        }

        private static byte[] MakePattern()
        {
            byte[] pattern = new byte[PatternBytes];
            new SeededRandom(7).Fill(pattern);
            return pattern;
        }

        private void Read(Instant now, StreamId stream)
        {
            int read;
            do
            {
                int at = (int)(ReceivedBytes % PatternBytes);
                read = Receiver.Machine.Read(now, stream, _reading.AsSpan(0, PatternBytes - at), out bool finished);
                if (!_reading.AsSpan(0, read).SequenceEqual(Pattern.AsSpan(at, read)))
                {
                    throw new InvalidOperationException($"The stream differs near {ReceivedBytes}.");
                }

                ReceivedBytes += read;
                IsComplete |= finished;
            }
            while (read > 0);

            TimeSpan stall = _lastArrival == Instant.Never ? TimeSpan.Zero : now - _lastArrival;
            LongestStall = stall > LongestStall ? stall : LongestStall;
            _lastArrival = now;
        }
    }
}
