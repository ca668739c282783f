using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Nat.Mdns;
using Microsoft.Extensions.Logging;

namespace Carrier.OnLink;

/// <summary>Drives an <see cref="MdnsMachine"/>: its own task and sockets, never the network thread. Asleep while nobody on the link speaks.</summary>
internal sealed class LinkDiscovery : IAsyncDisposable
{
    /// <summary>Requests waiting for the task; the oldest gives way: a dial that is not looked for here is looked for elsewhere.</summary>
    private const int MaxRequests = 256;

    private static readonly AddressFamily[] Families = [AddressFamily.InterNetwork, AddressFamily.InterNetworkV6];

    private readonly MdnsMachine _machine;
    private readonly Func<IReadOnlyList<MdnsLink>> _findLinks;
    private readonly Action<LinkPeer> _found;
    private readonly ILogger _logger;
    private readonly Channel<TrustId> _requests = Channel.CreateBounded<TrustId>(
        new BoundedChannelOptions(MaxRequests) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });

    private readonly List<(MulticastSocket Socket, Task<SocketReceiveMessageFromResult> Receiving)> _sockets = [];
    private readonly byte[] _toSend = new byte[MdnsMachine.MaxMessageBytes];
    private readonly Task _run;
    private IReadOnlyList<MdnsLink> _links = [];

    private LinkDiscovery(MdnsMachine machine, Func<IReadOnlyList<MdnsLink>> findLinks, Action<LinkPeer> found, ILogger logger)
    {
        (_machine, _findLinks, _found, _logger) = (machine, findLinks, found, logger);
        _run = Task.Run(RunAsync);
    }

    /// <summary>Announces the node and begins to listen.</summary>
    /// <param name="findLinks">The interfaces there are; called on the discovery's task.</param>
    /// <param name="found">Told of devices of TrustIDs looked for; on the discovery's task.</param>
    public static LinkDiscovery Start(MdnsMachine machine, Func<IReadOnlyList<MdnsLink>> findLinks, Action<LinkPeer> found, ILogger logger) =>
        new(machine, findLinks, found, logger);

    /// <summary>Looks for devices of a TrustID on every link. Any thread.</summary>
    public void Look(TrustId peer) => _requests.Writer.TryWrite(peer);

    /// <summary>The interfaces may have changed. Any thread.</summary>
    public void LookAround() => _requests.Writer.TryWrite(default);

    /// <summary>Says goodbye to the links and ends.</summary>
    public async ValueTask DisposeAsync()
    {
        _ = _requests.Writer.TryComplete();
        await _run.ConfigureAwait(false);
    }

    private async Task RunAsync()
    {
        Follow(_findLinks());
        Task<bool> requested = _requests.Reader.WaitToReadAsync().AsTask();
        while (true)
        {
            Act();
            await WaitAsync(requested).ConfigureAwait(false);
            if (requested.IsCompleted)
            {
                if (!await requested.ConfigureAwait(false))
                {
                    break;
                }

                TakeRequests();
                requested = _requests.Reader.WaitToReadAsync().AsTask();
            }
        }

        _machine.Leave();
        Act();
        foreach ((MulticastSocket socket, Task<SocketReceiveMessageFromResult> receiving) in _sockets)
        {
            socket.Dispose();
            await ((Task)receiving).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void TakeRequests()
    {
        while (_requests.Reader.TryRead(out TrustId peer))
        {
            if (peer.IsNone)
            {
                Follow(_findLinks());
            }
            else
            {
                _machine.Look(MonotonicClock.Now, peer);
            }
        }
    }

    private void Follow(IReadOnlyList<MdnsLink> links)
    {
        if (_sockets.Count == 0 && links.Count > 0)
        {
            foreach (AddressFamily family in Families)
            {
                if (MulticastSocket.TryOpen(family, out SocketError error) is { } socket)
                {
                    _sockets.Add((socket, socket.ReceiveAsync()));
                }
                else
                {
                    LinkLog.NoSocket(_logger, family, error);
                }
            }
        }

        _links = links;
        _sockets.ForEach(each => each.Socket.Join(links));
        _machine.SetLinks(MonotonicClock.Now, links);
        LinkLog.Announced(_logger, links.Count);
    }

    private void Act()
    {
        Instant now = MonotonicClock.Now;
        if (_machine.NextDeadline <= now)
        {
            _machine.HandleTimeout(now);
        }

        while (_machine.TryTransmit(_toSend, out MdnsTransmit transmit))
        {
            Send(transmit);
        }

        while (_machine.TryEffect(out LinkPeer peer))
        {
            _found(peer);
        }
    }

    private void Send(in MdnsTransmit transmit)
    {
        (int index, AddressFamily family) = (transmit.Link, transmit.To.Family);
        MulticastSocket? socket = _sockets.Find(each => each.Socket.Family == family).Socket;
        MdnsLink? link = _links.FirstOrDefault(each => each.Index == index);
        if (socket is null || link is null)
        {
            return; // a goodbye to a link that is gone
        }

        try
        {
            socket.Send(link, transmit.To, _toSend.AsSpan(0, transmit.Bytes));
        }
        catch (SocketException e)
        {
            LinkLog.NotSent(_logger, e.SocketErrorCode); // said again at the next announcement or question
        }
    }

    /// <summary>Waits for a datagram, a request or the deadline, and hands over what came.</summary>
    private async Task WaitAsync(Task<bool> requested)
    {
        Instant now = MonotonicClock.Now;
        Instant deadline = _machine.NextDeadline;
        TimeSpan wait = deadline == Instant.Never ? Timeout.InfiniteTimeSpan : deadline > now ? deadline - now + TimeSpan.FromMilliseconds(1) : TimeSpan.Zero;
        using CancellationTokenSource woken = new();
        _ = await Task.WhenAny([Task.Delay(wait, woken.Token), requested, .. _sockets.Select(each => each.Receiving)]).ConfigureAwait(false);
        await woken.CancelAsync().ConfigureAwait(false);
        for (int i = 0; i < _sockets.Count; i++)
        {
            (MulticastSocket socket, Task<SocketReceiveMessageFromResult> receiving) = _sockets[i];
            if (receiving.IsCompleted)
            {
                Take(socket, receiving);
                _sockets[i] = (socket, socket.ReceiveAsync());
            }
        }
    }

    // An ICMP error of an earlier send ends a receive without a datagram.
    private void Take(MulticastSocket socket, Task<SocketReceiveMessageFromResult> received)
    {
        if (!received.IsCompletedSuccessfully)
        {
            _ = received.Exception;
            return;
        }

        SocketReceiveMessageFromResult result = received.GetAwaiter().GetResult();
        _machine.Handle(MonotonicClock.Now, result.PacketInformation.Interface, Endpoint.From((IPEndPoint)result.RemoteEndPoint), socket.Bytes(result));
    }
}
