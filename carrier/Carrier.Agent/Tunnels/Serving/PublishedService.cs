using System.Net;
using Carrier.Agent.Tunnels.Web;
using Carrier.Core.Identity;

namespace Carrier.Agent.Tunnels.Serving;

/// <summary>A service while it is published: whom it takes, how many, and where it leads.</summary>
internal sealed class PublishedService : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<TrustId, int> _open = [];
    private readonly HashSet<TrustId> _allowed = [];
    private readonly bool _allowsAnybody;
    private readonly CancellationTokenSource _withdrawn = new();
    private readonly TaskCompletionSource _empty = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Action<TrustId> _refused;
    private readonly EndPoint? _target;
    private readonly FolderSite? _site;
    private int _count;
    private bool _isWithdrawn;

    /// <exception cref="State.AgentException">Its target is none.</exception>
    public PublishedService(ServiceDefinition definition, TrustId self, TimeProvider time, bool isKept, Action<TrustId> refused)
    {
        _refused = refused;
        Definition = definition;
        IsKept = isKept;
        Budget = new ByteBudget(definition.BytesPerSecond, time);
        _allowed.Add(self);
        foreach (string text in definition.Allow)
        {
            _allowsAnybody |= text == ServiceDefinition.Anybody;
            if (TrustId.TryParse(text, out TrustId peer))
            {
                _allowed.Add(peer);
            }
        }

        if (definition.Kind == ServiceKind.Http)
        {
            _site = FolderSite.Start(definition.Target, definition.Lists);
        }
        else
        {
            _target = ServiceTarget.Parse(definition.Target);
        }
    }

    public ServiceDefinition Definition { get; }

    public bool IsKept { get; }

    public ByteBudget Budget { get; }

    public TunnelTotals Totals { get; } = new();

    /// <summary>Cancelled when the service is withdrawn: its connections end.</summary>
    public CancellationToken Withdrawn => _withdrawn.Token;

    public TunnelReport Report => new TunnelReport(
        Definition.Name, Protocol, Definition.Target, null, Definition.Name, Definition.Allow, IsKept).With(Totals);

#pragma warning disable CA1308 // protocols are written small
    public string Protocol => Definition.Kind.ToString().ToLowerInvariant();
#pragma warning restore CA1308

    public bool Admits(TrustId peer, TunnelKind kind) =>
        (_allowsAnybody || _allowed.Contains(peer)) && (Definition.Kind == ServiceKind.Udp) == (kind == TunnelKind.Flow);

    /// <summary>Counts a peer that is not let in.</summary>
    public void Refuse(TrustId peer)
    {
        Totals.Fail();
        _refused(peer);
    }

    /// <summary>Takes a place for one more connection; each is given back by <see cref="Leave"/>.</summary>
    public bool TryEnter(TrustId peer)
    {
        lock (_gate)
        {
            _ = _open.TryGetValue(peer, out int open);
            if (_isWithdrawn || _count >= Definition.MaxConnections || open >= Definition.MaxPerPeer)
            {
                return false;
            }

            _count++;
            _open[peer] = open + 1;
        }

        Totals.Begin();
        return true;
    }

    public void Leave(TrustId peer)
    {
        Totals.End();
        lock (_gate)
        {
            _count--;
            if (--_open[peer] == 0)
            {
                _open.Remove(peer);
            }

            if (_isWithdrawn && _count == 0)
            {
                _empty.TrySetResult();
            }
        }
    }

    /// <summary>Opens a connection to where the service leads; not for UDP.</summary>
    /// <exception cref="IOException">Nobody accepts there.</exception>
    public async ValueTask<LocalEnd> ConnectAsync(CancellationToken cancellationToken)
    {
        if (_site is not null)
        {
            return _site.Connect();
        }

        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(TunnelLimits.ConnectPatience);
        try
        {
            return await SocketEnd.ConnectAsync(_target!, patience.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new IOException("The target does not answer.");
        }
    }

    /// <summary>Opens a socket whose datagrams go to where the service leads; for UDP.</summary>
    /// <exception cref="IOException">There is no such host.</exception>
    public ValueTask<UdpTarget> ConnectUdpAsync(CancellationToken cancellationToken) => UdpTarget.ConnectAsync(_target!, cancellationToken);

    /// <summary>Takes nobody any more, ends what is open and waits for it.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            if (_isWithdrawn)
            {
                return;
            }

            _isWithdrawn = true;
            if (_count == 0)
            {
                _empty.TrySetResult();
            }
        }

        await _withdrawn.CancelAsync().ConfigureAwait(false);
        await _empty.Task.ConfigureAwait(false);
        if (_site is not null)
        {
            await _site.DisposeAsync().ConfigureAwait(false);
        }

        _withdrawn.Dispose();
    }
}
