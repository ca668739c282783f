using System.Runtime.CompilerServices;
using Carrier.Core.Session.Buffers;
using Carrier.Core.Session.Paths;
using Carrier.Core.Session.Recovery;
using Carrier.Core.Session.Streams;

namespace Carrier.Core.Session;

/// <summary>What a session is made of, shared by those who work on it: <see cref="PacketReceiver"/>, <see cref="PacketSender"/> and <see cref="LossRepair"/>.</summary>
internal sealed class SessionParts
{
    /// <summary>The part of what is left that one stream may take: a half, so that n busy streams settle at 1/(n + 2) of it all.</summary>
    private const int ShareOfRest = 2;

    private readonly SlabPool _pool;

    public SessionParts(in SessionSetup setup, Instant now)
    {
        _pool = setup.Pool;
        Options = setup.Options;
        Role = setup.Role;
        Remote = setup.Remote;
        Local = setup.Local;
        Random = setup.Random;
        Drops = setup.Drops;
        Keys = new KeyPhases(setup.Suite, setup.SendSecret, setup.ReceiveSecret, Options.KeyUpdatePackets);
        OverheadBytes = SessionPacket.OverheadBytes(setup.Suite);
        Ids = new ConnectionIds(setup.LocalId, setup.RemoteId, setup.RemoteResetToken, setup.ResetKey, Random);
        Paths = new PathTable(
            Role, setup.Path, Math.Min(Options.MaxPacketBytes, Remote.MaxPacketBytes), Options.CongestionControl, Options.NearestScope, Random);
        Loss = new LossDetector(Paths.Active.Rtt);
        Flow = new FlowControl(
            Local.SessionWindowBytes, Math.Max(Local.SessionWindowBytes, Options.MaxSessionWindowBytes), Remote.SessionWindowBytes);
        Streams = new StreamTable(Options, Role, Local, Remote, _pool, Flow);
        StreamReceiver = new StreamReceiver(Streams);
        Outgoing = new DatagramRing(Options.MaxDatagramQueueBytes);
        Incoming = new DatagramRing(Options.MaxDatagramQueueBytes);
        Timers = new SessionTimers(this, now);
    }

    public SessionOptions Options { get; }

    public SessionRole Role { get; }

    public TransportParameters Local { get; }

    public TransportParameters Remote { get; }

    public RandomSource Random { get; }

    public DropCounters Drops { get; }

    public KeyPhases Keys { get; }

    /// <inheritdoc cref="SessionPacket.OverheadBytes"/>
    public int OverheadBytes { get; }

    public ConnectionIds Ids { get; }

    public PathTable Paths { get; }

    public LossDetector Loss { get; }

    public EcnValidation Ecn { get; } = new();

    public AckScheduler Acks { get; } = new();

    public FlowControl Flow { get; }

    public StreamTable Streams { get; }

    public StreamReceiver StreamReceiver { get; }

    /// <summary>Datagrams to send.</summary>
    public DatagramRing Outgoing { get; }

    /// <summary>Datagrams to be read.</summary>
    public DatagramRing Incoming { get; }

    public CloseState Close { get; } = new();

    public SessionTimers Timers { get; }

    /// <summary>Frames of the session itself that wait to be sent.</summary>
    public SessionPending Pending { get; set; }

    /// <summary>What the owner has not been told yet.</summary>
    public SessionNotices Notices { get; set; }

    /// <summary>The application was told of datagrams and has not yet read all.</summary>
    public bool DatagramsTold { get; set; }

    /// <summary>Where the peer last saw us.</summary>
    public Endpoint Observed { get; set; }

    /// <summary>Our latest call to meet behind NATs.</summary>
    public byte[] PunchCall { get; set; } = [];

    /// <summary>The peer's latest.</summary>
    public byte[] PeerPunchCall { get; set; } = [];

    /// <summary>Our own candidates, as last advertised.</summary>
    public List<Endpoint> Candidates { get; } = [];

    public SessionCounts Counts { get; } = new();

    /// <summary>Bytes a stream may have written beyond what was sent: a share of what the node's streams together leave of their room
    /// (dynamic thresholds, Choudhury and Hahne 1998), so that a stream alone has much and four hundred have equally little.</summary>
    public long MaxUnsentBytes => Math.Max(
        Options.MinUnsentBytes,
        Math.Min(Paths.Active.Congestion.CongestionWindowBytes, (Options.SharedBytes - _pool.OutstandingBytes) / ShareOfRest));

    /// <summary>Tells the writer of a stream that it may go on, if it waits for that and there is so much room that it is not woken for every packet.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void TellIfWritable(StreamState stream)
    {
        SendBuffer send = stream.Send!;
        if (stream.WantsWritable && send.WritableBytes >= Options.MaxSendBufferBytes / 8 && send.UnsentBytes <= MaxUnsentBytes / 2)
        {
            stream.WantsWritable = false;
            Streams.Notify(stream, StreamNotice.Writable);
        }
    }

    /// <summary>Ends the session with an error of the transport's and tells the peer.</summary>
    public void CloseWith(Instant now, CloseCode code, string reason)
    {
        if (Close.IsLive)
        {
            BeginClosing(now, new SessionClose(CloseKind.Transport, (ulong)code, reason, ByPeer: false));
        }
    }

    public void BeginClosing(Instant now, in SessionClose close)
    {
        Close.BeginClosing(close, now + Timers.ThreeProbeTimeouts);
        ReleaseBuffers();
        Notices |= SessionNotices.Closed;
    }

    public void BeginDraining(Instant now, in SessionClose close)
    {
        Close.BeginDraining(close, now + Timers.ThreeProbeTimeouts);
        ReleaseBuffers();
        Notices |= SessionNotices.Closed;
    }

    public void EndNow(in SessionClose close)
    {
        Close.EndNow(close);
        ReleaseBuffers();
        Keys.Dispose();
        Ids.RetireAllLocal();
        Notices |= SessionNotices.Closed;
    }

    /// <summary>Every way to close comes through here, so none keeps a slab.</summary>
    private void ReleaseBuffers()
    {
        Streams.Dispose();
        Outgoing.Clear();
        Incoming.Clear();
    }
}

/// <summary>Frames of the session that wait to be sent: latest values, never queues.</summary>
[Flags]
internal enum SessionPending
{
    None = 0,
    Ping = 1,
    Candidates = 2,
    ObservedAddress = 4,
    PunchCall = 8,
}

/// <summary>What the owner of a session has not been told yet.</summary>
[Flags]
internal enum SessionNotices
{
    None = 0,
    Confirmed = 1,
    PathChanged = 2,
    AddressObserved = 4,
    DatagramReceived = 8,
    Closed = 16,
    PunchCalled = 32,
    Silent = 64,
}
