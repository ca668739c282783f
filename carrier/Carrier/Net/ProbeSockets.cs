using System.Net;
using System.Net.Sockets;
using Carrier.Core;

namespace Carrier.Net;

/// <summary>The sockets a node has beside its own, to have more mappings in a NAT: opened by the first datagram sent from each, closed when the
/// machine says so. Most live for seconds and hear nothing; one that a session adopts moves its datagrams as fast as the node's own. Used by one thread.</summary>
internal sealed class ProbeSockets(DatagramSockets own) : IDisposable
{
    /// <summary>Sockets open at once, a little above what the machine asks for; what would need one more is dropped as if the network had.</summary>
    public const int MaxOpen = 1100;

    /// <summary>Enough to pass home and carrier NATs, too few to reach the peer's.</summary>
    public const short OpeningTtl = 6;

    private readonly Dictionary<ushort, Opened> _open = [];
    private readonly Dictionary<Socket, ushort> _numbers = [];
    private readonly List<Socket> _readable = [];

    /// <summary>What is open now, for whoever waits on it.</summary>
    public IReadOnlyCollection<Socket> All => _numbers.Keys;

    /// <summary>Set when <see cref="All"/> became other sockets; whoever acts on it clears it.</summary>
    public bool HasChanged { get; set; }

    /// <summary>Whether this is to be sent here rather than by <see cref="DatagramSockets"/>.</summary>
    public static bool IsFor(in Transmit transmit) => transmit.Path.Socket != 0 || transmit.IsOpening;

    /// <summary>Sends from the socket the path names, opening it if need be; openings leave with a low TTL.</summary>
    public SendResult Send(in Transmit transmit, ReadOnlySpan<byte> datagrams, out int sentBytes)
    {
        sentBytes = 0;
        Endpoint to = transmit.Path.Remote;
        ushort number = transmit.Path.Socket;
        if (number != 0 && !TryOpen(number, to.Family))
        {
            return SendResult.Failed;
        }

        if (!transmit.IsOpening || !to.IsIPv4)
        {
            return SendBy(number, to, datagrams, transmit.SegmentBytes, out sentBytes);
        }

        Socket raw = number == 0 ? own[own.IndexOf(to.Family)] : _open[number].Socket;
        short usual = raw.Ttl;
        try
        {
            raw.Ttl = OpeningTtl;
            return SendBy(number, to, datagrams, transmit.SegmentBytes, out sentBytes);
        }
        catch (SocketException)
        {
            return SendResult.Failed; // a system that lets nobody set it: then it does without openings
        }
        finally
        {
            raw.Ttl = usual;
        }
    }

    /// <summary>Looks which sockets have something; take it with <see cref="TryReceive"/>.</summary>
    public bool Look()
    {
        _readable.Clear();
        if (_numbers.Count == 0)
        {
            return false;
        }

        _readable.AddRange(_numbers.Keys);
        Socket.Select(_readable, null, null, TimeSpan.Zero);
        return _readable.Count > 0;
    }

    /// <summary>Takes the next batch from a socket that had something when last looked.</summary>
    public bool TryReceive(Span<byte> slab, out ushort socket, out Endpoint remote, out int bytes, out int segmentBytes)
    {
        while (_readable.Count > 0)
        {
            if (_numbers.TryGetValue(_readable[^1], out socket) && _open[socket].Receiver.TryReceive(slab, out remote, out bytes, out segmentBytes))
            {
                Quicken(socket);
                return true;
            }

            _readable.RemoveAt(_readable.Count - 1);
        }

        (socket, remote, bytes, segmentBytes) = (0, default, 0, 0);
        return false;
    }

    public void Close(ushort socket)
    {
        if (_open.Remove(socket, out Opened? closed))
        {
            _ = _numbers.Remove(closed.Socket);
            _ = _readable.Remove(closed.Socket);
            closed.Socket.Dispose();
            HasChanged = true;
        }
    }

    public void Dispose()
    {
        foreach (ushort socket in _open.Keys.ToArray())
        {
            Close(socket);
        }
    }

    private SendResult SendBy(ushort number, Endpoint to, ReadOnlySpan<byte> datagrams, int segmentBytes, out int sentBytes)
    {
        if (number == 0)
        {
            return own.Send(to, datagrams, segmentBytes, out sentBytes);
        }

        Opened opened = _open[number];
        SendResult result = opened.Sender.Send(to, datagrams, segmentBytes, out sentBytes);
        if (result == SendResult.Unsupported)
        {
            opened.Sender = new PlainSocket(opened.Socket, own.Counters);
            result = opened.Sender.Send(to, datagrams[sentBytes..], segmentBytes, out int rest);
            sentBytes += rest;
        }

        return result;
    }

    private bool TryOpen(ushort number, AddressFamily family)
    {
        if (_open.TryGetValue(number, out Opened? known))
        {
            return known.Socket.AddressFamily == family;
        }

        int index = own.IndexOf(family);
        if (index < 0 || _open.Count >= MaxOpen)
        {
            return false;
        }

        try
        {
            IPAddress local = ((IPEndPoint)own[index].LocalEndPoint!).Address;
            Opened opened = new(new PlainSocket(DatagramSockets.BindOne(new IPEndPoint(local, 0), DatagramSockets.SmallKernelBufferBytes), own.Counters));
            _open.Add(number, opened);
            _numbers.Add(opened.Socket, number);
        }
        catch (SocketException)
        {
            return false; // no descriptor or no port left: the machine goes on with those it has
        }

        HasChanged = true;
        return true;
    }

    // Something came: this one is becoming a session's path. The many that hear nothing never cost more than their descriptor.
    private void Quicken(ushort number)
    {
        Opened opened = _open[number];
        if (opened.Receiver.Kind != own.ReceiveKind)
        {
            opened.Socket.ReceiveBufferSize = DatagramSockets.KernelBufferBytes;
            opened.Socket.SendBufferSize = DatagramSockets.KernelBufferBytes;
            opened.Receiver = opened.Sender = DatagramSockets.Create(own.ReceiveKind, opened.Socket, own.Counters);
        }
    }

    private sealed class Opened(DatagramSocket plain)
    {
        public Socket Socket { get; } = plain.Socket;

        public DatagramSocket Receiver { get; set; } = plain;

        public DatagramSocket Sender { get; set; } = plain;
    }
}
