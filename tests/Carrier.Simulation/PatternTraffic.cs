using Carrier.Core;
using Carrier.Core.Session;
using Carrier.Core.Session.Streams;
using Carrier.Node.Sessions;

namespace Carrier.Simulation;

/// <summary>A node's application that sends streams whose every byte follows from its place, and checks what arrives against that.</summary>
public sealed class PatternTraffic
{
    private const int PatternBytes = 65_521;
    private const int ChunkBytes = 32_768;

    // Twice the pattern, so that a chunk from any place in it is one span.
    private static readonly byte[] Pattern = MakePattern();

    private readonly VirtualNetwork _network;
    private readonly SimulatedNode _node;
    private readonly Dictionary<(NodeSession Session, StreamId Stream), Sending> _sending = [];
    private readonly Dictionary<(NodeSession Session, StreamId Stream), long> _received = [];
    private readonly byte[] _chunk = new byte[ChunkBytes];
    private Instant _lastArrival = Instant.Never;

    public PatternTraffic(VirtualNetwork network, SimulatedNode node)
    {
        (_network, _node) = (network, node);
        node.OnSession = OnSession;
    }

    /// <summary>Bytes that arrived, each in its place.</summary>
    public long ReceivedBytes { get; private set; }

    /// <summary>Streams read to their end.</summary>
    public int StreamsFinished { get; private set; }

    /// <summary>The longest time without an arrival, from the first arrival after <see cref="WatchStalls"/>.</summary>
    public TimeSpan LongestStall { get; private set; }

    /// <summary>How the sessions of this node that ended did.</summary>
    public List<SessionClose> Closes { get; } = [];

    public void WatchStalls() => (LongestStall, _lastArrival) = (TimeSpan.Zero, Instant.Never);

    /// <summary>Sends over new streams of a session, all at once; goes on as the session takes more.</summary>
    public void Send(NodeSession session, int streams, long bytesEach) => _node.Use(session, machine =>
    {
        for (int i = 0; i < streams; i++)
        {
            if (!machine.TryOpenStream(bidirectional: false, out StreamId stream))
            {
                throw new InvalidOperationException($"The session opens no stream (seed {_network.Seed}).");
            }

            _sending.Add((session, stream), new Sending(bytesEach));
            Write(session, stream);
        }
    });

    private static byte[] MakePattern()
    {
        byte[] pattern = new byte[2 * PatternBytes];
        new SeededRandom(42).Fill(pattern.AsSpan(0, PatternBytes));
        pattern.AsSpan(0, PatternBytes).CopyTo(pattern.AsSpan(PatternBytes));
        return pattern;
    }

    private static ReadOnlySpan<byte> Expected(StreamId stream, long offset, long bytes) =>
        Pattern.AsSpan((int)((offset + ((long)stream.Value * 977)) % PatternBytes), (int)bytes);

    private void OnSession(SimulatedNode node, NodeSession session, SessionEffect effect)
    {
        switch (effect.Kind)
        {
            case SessionEffectKind.StreamReadable:
                Read(session, effect.Stream);
                break;
            case SessionEffectKind.StreamWritable:
                Write(session, effect.Stream);
                break;
            case SessionEffectKind.Closed:
                Closes.Add(session.Machine.CloseReason);
                break;
            default:
                break;
        }
    }

    private void Write(NodeSession session, StreamId stream)
    {
        Sending sending = _sending[(session, stream)];
        int written = 1;
        while (sending.At < sending.Length && written > 0)
        {
            written = session.Machine.Write(stream, Expected(stream, sending.At, Math.Min(ChunkBytes, sending.Length - sending.At)));
            sending.At += written;
        }

        if (sending.At == sending.Length)
        {
            session.Machine.Finish(stream);
        }
    }

    private void Read(NodeSession session, StreamId stream)
    {
        long at = _received.GetValueOrDefault((session, stream));
        int read;
        do
        {
            read = session.Machine.Read(_network.Now, stream, _chunk, out bool finished);
            if (!_chunk.AsSpan(0, read).SequenceEqual(Expected(stream, at, read)))
            {
                throw new InvalidOperationException($"Stream {stream.Value} differs near {at} (seed {_network.Seed}).");
            }

            at += read;
            ReceivedBytes += read;
            StreamsFinished += finished ? 1 : 0;
            if (finished)
            {
                break;
            }
        }
        while (read > 0);

        _received[(session, stream)] = at;
        TimeSpan stall = _lastArrival == Instant.Never ? TimeSpan.Zero : _network.Now - _lastArrival;
        LongestStall = stall > LongestStall ? stall : LongestStall;
        _lastArrival = _network.Now;
    }

    private sealed class Sending(long length)
    {
        public long Length { get; } = length;

        public long At { get; set; }
    }
}
