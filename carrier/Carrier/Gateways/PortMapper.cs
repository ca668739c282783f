using System.Net;
using System.Net.Sockets;
using Carrier.Core;
using Carrier.Nat.PortMapping;
using Microsoft.Extensions.Logging;

namespace Carrier.Gateways;

/// <summary>Drives a <see cref="PortMappingMachine"/>: its own task, its own socket towards the gateway, its HTTP. Never the network thread.</summary>
internal sealed class PortMapper : IAsyncDisposable
{
    /// <summary>How often the default route is looked at: a laptop moved to another network is mapped there within it.</summary>
    private static readonly TimeSpan RouteInterval = TimeSpan.FromSeconds(10);

    private readonly PortMappingMachine _machine;
    private readonly Func<GatewayRoute?> _findRoute;
    private readonly Action<Endpoint> _changed;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly byte[] _received = new byte[2048];
    private readonly byte[] _toSend = new byte[2048];
    private readonly Task _run;
    private Socket? _socket;
    private GatewayRoute? _route;
    private Task<SocketReceiveFromResult>? _receiving;
    private Task<GatewayAnswer>? _exchanging;
    private HttpExchange? _pending;
    private bool _isLeaving;

    private PortMapper(Func<GatewayRoute?> findRoute, Action<Endpoint> changed, ILogger logger)
    {
        _machine = new PortMappingMachine(SystemRandomSource.Shared, new DropCounters());
        (_findRoute, _changed, _logger) = (findRoute, changed, logger);
        _run = Task.Run(RunAsync);
    }

    /// <summary>Begins to map.</summary>
    /// <param name="findRoute">Called now and then, on the mapper's task: the gateway to ask, or null for none.</param>
    /// <param name="changed">Told where the port is reached from now on, none for nowhere; on the mapper's task.</param>
    /// <param name="logger">Where it is said what the gateway granted.</param>
    public static PortMapper Start(Func<GatewayRoute?> findRoute, Action<Endpoint> changed, ILogger logger) => new(findRoute, changed, logger);

    /// <summary>Deletes the mapping, waiting at most <see cref="PortMappingMachine.ReleasePatience"/> for the gateway, and ends.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _run.ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        Instant lookAt = Instant.Zero;
        while (!_machine.IsReleased)
        {
            Instant now = MonotonicClock.Now;
            if (_stop.IsCancellationRequested && !_isLeaving)
            {
                _isLeaving = true;
                _machine.Release(now);
            }
            else if (now >= lookAt && !_isLeaving)
            {
                lookAt = now + RouteInterval;
                Follow(now, _findRoute());
            }

            if (_machine.NextDeadline <= now)
            {
                _machine.HandleTimeout(now);
            }

            Act(now);
            if (!_machine.IsReleased)
            {
                await WaitAsync(Instant.Min(_machine.NextDeadline, _isLeaving ? Instant.Never : lookAt)).ConfigureAwait(false);
            }
        }

        await CloseAsync().ConfigureAwait(false);
        if (_exchanging is not null)
        {
            _ = await _exchanging.ConfigureAwait(false); // bounded by its own patience
        }
    }

    /// <summary>Goes over to another gateway: a socket whose source address is the one to be mapped, which PCP demands.</summary>
    private void Follow(Instant now, GatewayRoute? route)
    {
        if (route == _route)
        {
            return;
        }

        _socket?.Dispose();
        _socket = null;
        _route = route;
        try
        {
            _socket = route is { } there ? Open(there) : null;
        }
        catch (SocketException e)
        {
            GatewayLog.NoSocket(_logger, e.SocketErrorCode);
            _route = route = null; // the address went away meanwhile: looked at again in a while
        }

        _machine.SetRoute(now, route);
    }

    /// <summary>Sends, begins exchanges and tells, until the machine wants nothing more.</summary>
    private void Act(Instant now)
    {
        while (_machine.TryTransmit(now, _toSend, out Transmit transmit))
        {
            Send(transmit);
        }

        while (_machine.TryEffect(out PortMappingEffect effect))
        {
            switch (effect.Kind)
            {
                case PortMappingEffectKind.Exchange:
                    _pending = effect.Exchange;
                    break;
                case PortMappingEffectKind.Changed when effect.External.IsNone:
                    GatewayLog.MappingLost(_logger);
                    _changed(effect.External);
                    break;
                case PortMappingEffectKind.Changed:
                    GatewayLog.Mapped(_logger, effect.External.Port, effect.Protocol);
                    _changed(effect.External);
                    break;
                default:
                    GatewayLog.DoubleNat(_logger);
                    break;
            }
        }

        // One at a time: the machine asks for the next when it heard of the last, or no longer cares about it.
        if (_exchanging is null && _pending is { } exchange)
        {
            _pending = null;
            _exchanging = GatewayHttp.ExchangeAsync(exchange, CancellationToken.None);
        }
    }

    private void Send(in Transmit transmit)
    {
        try
        {
            _ = _socket?.SendTo(_toSend.AsSpan(0, transmit.Bytes), transmit.Path.Remote.ToIPEndPoint());
        }
        catch (SocketException e)
        {
            GatewayLog.NotSent(_logger, e.SocketErrorCode); // asked again by the machine's own schedule
        }
    }

    /// <summary>Waits for a datagram, the end of an exchange, the deadline or the stop, and hands over what came.</summary>
    private async Task WaitAsync(Instant deadline)
    {
        if (_socket is not null)
        {
            _receiving ??= _socket.ReceiveFromAsync(_received, SocketFlags.None, new IPEndPoint(IPAddress.Any, 0));
        }

        Instant now = MonotonicClock.Now;
        TimeSpan wait = deadline == Instant.Never ? Timeout.InfiniteTimeSpan : deadline > now ? deadline - now + TimeSpan.FromMilliseconds(1) : TimeSpan.Zero;
        using CancellationTokenSource woken = CancellationTokenSource.CreateLinkedTokenSource(_isLeaving ? CancellationToken.None : _stop.Token);
        Task delay = Task.Delay(wait, woken.Token);
        _ = await Task.WhenAny([delay, .. _receiving is null ? Array.Empty<Task>() : [_receiving], .. _exchanging is null ? Array.Empty<Task>() : [_exchanging]]).ConfigureAwait(false);
        await woken.CancelAsync().ConfigureAwait(false);
        now = MonotonicClock.Now;
        if (_receiving is { IsCompleted: true })
        {
            Take(now, _receiving);
            _receiving = null;
        }

        if (_exchanging is { IsCompleted: true } ended)
        {
            _exchanging = null;
            GatewayAnswer answer = await ended.ConfigureAwait(false);
            _machine.HandleExchange(now, answer.Id, answer.Status, answer.Body.Span);
        }
    }

    // A socket closed under it, or an ICMP error of an earlier send, ends a receive without a datagram.
    private void Take(Instant now, Task<SocketReceiveFromResult> received)
    {
        if (received.IsCompletedSuccessfully)
        {
            _machine.Handle(now, Endpoint.From((IPEndPoint)received.Result.RemoteEndPoint), _received.AsSpan(0, received.Result.ReceivedBytes));
        }
        else
        {
            _ = received.Exception; // observed
        }
    }

    private static Socket Open(in GatewayRoute route)
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            IPEndPoint local = route.Client.WithPort(0).ToIPEndPoint();
            socket.Bind(local);
            socket.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.MulticastInterface, local.Address.GetAddressBytes());
            socket.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.MulticastTimeToLive, 2);
            return socket;
        }
        catch (SocketException)
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task CloseAsync()
    {
        _socket?.Dispose();
        if (_receiving is not null)
        {
            await ((Task)_receiving).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
