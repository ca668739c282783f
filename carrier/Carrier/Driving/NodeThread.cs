using System.Runtime.CompilerServices;
using Carrier.Core;
using Carrier.Core.Session;
using Carrier.Net;
using Carrier.Node;
using Carrier.Node.Sessions;
using Carrier.OnLink;
using Carrier.Streams;
using Carrier.Tunnels;
using Microsoft.Extensions.Logging;

namespace Carrier.Driving;

/// <summary>The network thread of a node: hands what the node machine says to whom it concerns. Application code never runs within a turn.</summary>
internal sealed class NodeThread(NodeMachine machine, DatagramSockets sockets, INodeEvents events, TimeSpan spinBeforeBlocking, ILogger logger)
    : NetworkThread(machine, sockets, spinBeforeBlocking, logger)
{
    /// <summary>The largest datagram payload either side can meet.</summary>
    private const int MaxDatagramBytes = 65_536;

    /// <summary>Work of the application's is brisk when no more than this is between.</summary>
    private static readonly TimeSpan Brisk = TimeSpan.FromMilliseconds(1);

    private readonly HashSet<SessionDriver> _sessions = [];
    private readonly ContinuationThread _application = new(spinBeforeBlocking);
    private readonly ILogger _logger = logger;
    private Instant _notedAt;

    /// <summary>For the network thread alone, once it runs.</summary>
    public NodeMachine Machine => machine;

    public SlabMemoryPool Pool { get; } = new();

    /// <summary>Where one datagram of the application lies between its box and the machine. For the network thread alone.</summary>
    public byte[] Scratch { get; } = new byte[MaxDatagramBytes];

    /// <summary>What the machine works on, by its number. For the network thread alone.</summary>
    public Dictionary<ulong, PendingOperation> Operations { get; } = [];

    /// <summary>The live sessions. For the network thread alone.</summary>
    public IReadOnlyCollection<SessionDriver> Sessions => _sessions;

    /// <summary>Who opens a tunnel to a peer's home when the machine wants one; null where there are none. Set before the thread starts.</summary>
    public Action<Endpoint>? OnTunnelWanted { get; set; }

    /// <summary>Where dials are looked for beside the network; null where there is none. Set before the thread starts.</summary>
    public LinkDiscovery? LinkDiscovery { get; set; }

    /// <summary>Has the application run what it waited with: at the end of the turn, or at once where this thread has none. Any thread.</summary>
    public void Wake(Continuation continuation)
    {
        _application.Add(continuation);
        if (!HasTurn)
        {
            OnTurnEnded();
        }
    }

    /// <summary>Asks the machine something. Any thread.</summary>
    public Task<T> AskAsync<T>(Func<Instant, T> ask)
    {
        NetworkCall<T> call = new(ask);
        Post(call);
        return call.Task;
    }

    /// <summary>Takes a datagram that came through a tunnel. The network thread only.</summary>
    public void HandleTunnelled(Instant now, Endpoint remote, Span<byte> datagram) => machine.Handle(now, remote, datagram, datagram.Length);

    /// <summary>Has datagrams to a tunnel's endpoint go through it from now on, or no longer. Any thread.</summary>
    public Task<bool> TunnelAsync(Tunnel tunnel, bool isOpen) => AskAsync(now =>
    {
        if (isOpen)
        {
            Tunnels.Add(tunnel);
        }
        else if (!Tunnels.Remove(tunnel))
        {
            return false; // another has taken its place
        }

        machine.SetTunnelled(now, tunnel.Remote, isOpen);
        return true;
    });

    /// <summary>Where the paths that sessions use now lead. Any thread.</summary>
    public Task<HashSet<Endpoint>> PathsInUseAsync() => AskAsync(_ => _sessions.Select(session => session.Machine.Path.Remote).ToHashSet());

    /// <summary>Gives a session of the machine its application half.</summary>
    public SessionDriver Adopt(Instant now, NodeSession session)
    {
        SessionDriver driver = new(this, session, now);
        session.Owner = driver;
        _ = _sessions.Add(driver);
        return driver;
    }

    public void Forget(SessionDriver driver) => _sessions.Remove(driver);

    public void LogPathChanged(NodeSession session, in NetworkPath path) => NodeLog.PathChanged(_logger, session.Id, path.IsRelayed);

    public void LogSubscriberFailed(NodeSession session, Exception exception) => NodeLog.SubscriberFailed(_logger, session.Id, exception);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override bool DrainEffects(Instant now)
    {
        bool any = false;
        while (machine.TryEffect(now, out NodeEffect effect))
        {
            any = true;
            switch (effect.Kind)
            {
                case NodeEffectKind.Session:
                    (effect.Session!.Owner as SessionDriver)?.Handle(now, effect.InSession);
                    break;
                case NodeEffectKind.Incoming:
                    events.OnIncoming(now, Adopt(now, effect.Session!));
                    break;
                case NodeEffectKind.Dialed or NodeEffectKind.DialFailed or NodeEffectKind.Resolved:
                    Answer(now, effect);
                    break;
                case NodeEffectKind.Ready:
                    events.OnReady();
                    break;
                case NodeEffectKind.CloseSocket:
                    CloseSocket(effect.Socket);
                    break;
                case NodeEffectKind.OpenTunnel:
                    OnTunnelWanted?.Invoke(effect.Remote);
                    break;
                case NodeEffectKind.HandshakeRefused:
                    NodeLog.HandshakeRefused(_logger, effect.Refusal);
                    break;
                default:
                    break;
            }
        }

        return any;
    }

    /// <remarks>What comes seldom is left to the thread that sleeps for it: whoever watches over a lent driver would have to be woken too.</remarks>
    protected override bool HasShortWork
    {
        get
        {
            if (!_application.HasNoted)
            {
                return false;
            }

            Instant now = MonotonicClock.Now;
            bool isBrisk = now - _notedAt < Brisk;
            _notedAt = now;
            return isBrisk && _application.IsRunShort;
        }
    }

    protected override void RunShortWork() => _ = _application.TryRunHere();

    protected override Instant ApplicationDeadline => _application.LookAt;

    protected override void HandleApplicationTimeout(Instant now) => _application.Look(now);

    protected override void OnTurnEnded()
    {
        if (_application.Flush())
        {
            WakeIfAsleep();
        }
    }

    protected override void OnStopped()
    {
        foreach (SessionDriver session in _sessions.ToArray())
        {
            session.End(new SessionClose(CloseKind.Application, NodeCloseCode.NodeStopped, "", ByPeer: false));
        }

        foreach (PendingOperation operation in Operations.Values)
        {
            operation.Abandon();
        }

        machine.Dispose();
        events.OnStopped();
        _application.Dispose();
    }

    private void Answer(Instant now, in NodeEffect effect)
    {
        if (Operations.Remove(effect.Operation, out PendingOperation? operation))
        {
            operation.Answer(now, effect);
        }
        else if (effect.Session is { } unwanted)
        {
            Adopt(now, unwanted).Close(now, 0, "the dial was cancelled");
        }
    }
}

/// <summary>What a node hears from its network thread, on that thread.</summary>
internal interface INodeEvents
{
    void OnReady();

    /// <summary>A peer opened a session for a protocol listened to.</summary>
    void OnIncoming(Instant now, SessionDriver session);

    /// <summary>The thread is at its end; nothing of the machine is used any more.</summary>
    void OnStopped();
}
