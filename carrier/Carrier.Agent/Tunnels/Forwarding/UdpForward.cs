using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Carrier.Agent.Network;
using Carrier.Core.Identity;

namespace Carrier.Agent.Tunnels.Forwarding;

/// <summary><c>carrier forward --udp</c>: a local UDP port that leads to one service of one peer; every local address that sends is a flow of its own.</summary>
internal sealed class UdpForward : IForward
{
    private readonly TrustId _peer;
    private readonly ServiceName _service;
    private readonly PeerLinks _links;
    private readonly AccessLog _log;
    private readonly TimeProvider _time;
    private readonly Action<TunnelEnd> _ended;
    private readonly Socket _socket;
    private readonly ConcurrentDictionary<SocketAddress, DatagramFlow> _flows = new();
    private readonly OwnedTasks _running = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _receiving;

    /// <param name="ended">Told how each flow ended.</param>
    /// <exception cref="State.AgentException">The port is taken.</exception>
    public UdpForward(
        ForwardDefinition definition, TrustId peer, ServiceName service, PeerLinks links, AccessLog log, TimeProvider time, Action<TunnelEnd> ended)
    {
        _peer = peer;
        _service = service;
        _links = links;
        _log = log;
        _time = time;
        _ended = ended;
        _socket = LocalPort.Bind(definition.Bind, definition.Port, SocketType.Dgram, ProtocolType.Udp);
        _receiving = Task.Run(ReceiveAsync);
    }

    public IPEndPoint Address => (IPEndPoint)_socket.LocalEndPoint!;

    public TunnelTotals Totals { get; } = new();

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _receiving.ConfigureAwait(false);
        await _running.WhenEndedAsync().ConfigureAwait(false);
        _socket.Dispose();
        _stopping.Dispose();
    }

    private async Task ReceiveAsync()
    {
        byte[] datagram = new byte[TunnelLimits.MaxDatagramBytes];
        var from = new SocketAddress(_socket.AddressFamily);
        while (true)
        {
            try
            {
                int bytes = await _socket.ReceiveFromAsync(datagram, SocketFlags.None, from, _stopping.Token).ConfigureAwait(false);
                FlowOf(from)?.Send(datagram.AsSpan(0, bytes));
            }
            catch (SocketException)
            {
                // ICMP about somebody we answered, who is gone.
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    /// <summary>The flow of a local address, begun with its first datagram; null when there are too many.</summary>
    private DatagramFlow? FlowOf(SocketAddress from)
    {
        if (_flows.TryGetValue(from, out DatagramFlow? known))
        {
            return known;
        }

        if (_flows.Count >= TunnelLimits.MaxFlows)
        {
            Totals.Fail();
            return null;
        }

        var address = new SocketAddress(from.Family, from.Size);
        from.Buffer.Span[..from.Size].CopyTo(address.Buffer.Span);
        var meter = new TunnelMeter(Totals);
        var flow = new DatagramFlow(meter, _time, (payload, cancellationToken) => DeliverAsync(address, payload, cancellationToken));
        _flows[address] = flow;
        Totals.Begin();
        _running.Begin(() => RunAsync(address, flow, meter));
        return flow;
    }

    private async Task RunAsync(SocketAddress address, DatagramFlow flow, TunnelMeter meter)
    {
        long begun = _time.GetTimestamp();
        TunnelEnd end;
        try
        {
            using Tunnel tunnel = await _links.OpenAsync(_peer, _service, flow, _stopping.Token).ConfigureAwait(false);
            end = await flow.RunAsync(tunnel.Link.Session, tunnel.Stream, tunnel.Flow!.Value, readsAnswer: true, _stopping.Token).ConfigureAwait(false);
        }
        catch (NetworkException)
        {
            end = TunnelEnd.PeerUnreachable;
        }
        catch (OperationCanceledException)
        {
            end = TunnelEnd.Stopped;
        }

        _flows.TryRemove(address, out _);
        Totals.End();
        if (end is not (TunnelEnd.Closed or TunnelEnd.Idle or TunnelEnd.Stopped or TunnelEnd.PeerReset))
        {
            Totals.Fail();
        }

        _log.Write(new AccessEntry(
            "out", _peer.ToString(), _service.Text, "udp", "forward", Math.Round(_time.GetElapsedTime(begun).TotalMilliseconds, 1),
            meter.BytesIn, meter.BytesOut, end)
        { Dropped = flow.Dropped == 0 ? null : flow.Dropped });
        _ended(end);
    }

    private async ValueTask DeliverAsync(SocketAddress address, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken)
    {
        try
        {
            _ = await _socket.SendToAsync(payload, SocketFlags.None, address, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Nobody there, or no room: lost, as datagrams are.
        }
    }
}
