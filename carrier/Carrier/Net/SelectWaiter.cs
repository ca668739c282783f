using System.Net;
using System.Net.Sockets;

namespace Carrier.Net;

/// <summary>Waits in the portable <see cref="Socket.Select(System.Collections.IList, System.Collections.IList, System.Collections.IList, TimeSpan)"/>; a loopback socket connected to itself wakes it.</summary>
internal sealed class SelectWaiter : SocketWaiter
{
    /// <summary>Select counts microseconds in 32 bits; a later deadline takes several waits.</summary>
    private static readonly TimeSpan MaxTimeout = TimeSpan.FromMinutes(30);

    private readonly DatagramSockets _sockets;
    private readonly Socket _wake = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
    private readonly List<Socket> _others = [];
    private readonly List<Socket> _readable = [];
    private readonly List<Socket> _writable = [];

    public SelectWaiter(DatagramSockets sockets)
    {
        _sockets = sockets;
        _wake.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _wake.Connect(_wake.LocalEndPoint!); // now only its own datagrams reach it
        _wake.Blocking = false;
    }

    public override bool Wait(TimeSpan timeout, int writer)
    {
        _readable.Clear();
        _writable.Clear();
        _readable.Add(_wake);
        _readable.AddRange(_others);
        for (int i = 0; i < _sockets.Count; i++)
        {
            _readable.Add(_sockets[i]);
            if (i == writer)
            {
                _writable.Add(_sockets[i]);
            }
        }

        Socket.Select(_readable, _writable, null, timeout < MaxTimeout ? timeout : MaxTimeout);
        if (_readable.Contains(_wake))
        {
            Drain();
        }

        return _readable.Count + _writable.Count > 0;
    }

    public override bool IsReadable(int index) => _readable.Contains(_sockets[index]);

    public override void Watch(IReadOnlyCollection<Socket> others)
    {
        _others.Clear();
        _others.AddRange(others);
    }

    public override void Wake()
    {
        try
        {
            _wake.Send([1]);
        }
        catch (Exception e) when (e is ObjectDisposedException or SocketException)
        {
            return; // the thread ended meanwhile, or so many wakes are pending that one more says nothing
        }
    }

    public override void Dispose() => _wake.Dispose();

    private void Drain()
    {
        Span<byte> one = stackalloc byte[1];
        while (_wake.Available > 0)
        {
            _wake.Receive(one);
        }
    }
}
