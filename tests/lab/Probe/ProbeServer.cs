using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Carrier.Lab.Probe;

/// <summary>From which of the server's four sockets the answer shall come, as RFC 5780's CHANGE-REQUEST asks.</summary>
internal enum ReplyFrom
{
    Same,
    OtherPort,
    OtherAddress,
    OtherAddressAndPort,
}

/// <summary>
/// Two addresses, two ports. Speaks lines of ASCII, one a datagram:
/// <code>
/// probe NONCE REPLY-FROM   ->  seen NONCE ADDRESS:PORT        (from the socket asked for)
/// join ROOM MEMBER         ->  peer ADDRESS:PORT              (to both, once two members are in the room)
/// echo ...                 ->  the same datagram
/// </code>
/// </summary>
internal sealed class ProbeServer : IAsyncDisposable
{
    /// <summary>Rooms remembered; the oldest are forgotten all at once beyond it, for members ask again.</summary>
    private const int MaxRooms = 256;

    private const int MaxDatagramBytes = 1500;

    private readonly Socket[,] _sockets;
    private readonly Dictionary<string, Dictionary<string, EndPoint>> _rooms = [];
    private readonly Lock _roomsGate = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loops;

    /// <param name="sockets">Bound sockets, [address, port]; owned by the server from now on.</param>
    public ProbeServer(Socket[,] sockets)
    {
        _sockets = sockets;
        _loops = Task.WhenAll(from address in Enumerable.Range(0, 2) from port in Enumerable.Range(0, 2) select ServeAsync(address, port));
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loops;
        foreach (Socket socket in _sockets)
        {
            socket.Dispose();
        }

        _stop.Dispose();
    }

    private async Task ServeAsync(int address, int port)
    {
        byte[] buffer = new byte[MaxDatagramBytes];
        Socket socket = _sockets[address, port];
        try
        {
            while (true)
            {
                SocketReceiveFromResult received = await socket.ReceiveFromAsync(buffer, socket.LocalEndPoint!, _stop.Token);
                await AnswerAsync(address, port, buffer.AsMemory(0, received.ReceivedBytes), received.RemoteEndPoint);
            }
        }
        catch (OperationCanceledException)
        {
            // disposed
        }
    }

    private async Task AnswerAsync(int address, int port, ReadOnlyMemory<byte> datagram, EndPoint from)
    {
        string[] words = Encoding.ASCII.GetString(datagram.Span).Split(' ');
        switch (words)
        {
            case ["probe", var nonce, var place] when Enum.TryParse(place, out ReplyFrom replyFrom):
                bool otherAddress = replyFrom is ReplyFrom.OtherAddress or ReplyFrom.OtherAddressAndPort;
                bool otherPort = replyFrom is ReplyFrom.OtherPort or ReplyFrom.OtherAddressAndPort;
                await SendAsync(_sockets[otherAddress ? 1 - address : address, otherPort ? 1 - port : port], $"seen {nonce} {from}", from);
                break;
            case ["join", var room, var member]:
                await IntroduceAsync(_sockets[address, port], room, member, from);
                break;
            case ["echo", ..]:
                await _sockets[address, port].SendToAsync(datagram, from, _stop.Token);
                break;
        }
    }

    private async Task IntroduceAsync(Socket socket, string room, string member, EndPoint from)
    {
        KeyValuePair<string, EndPoint> other;
        lock (_roomsGate)
        {
            if (_rooms.Count > MaxRooms)
            {
                _rooms.Clear();
            }

            Dictionary<string, EndPoint> members = _rooms.TryGetValue(room, out Dictionary<string, EndPoint>? known) ? known : _rooms[room] = [];
            members[member] = from;
            other = members.FirstOrDefault(m => m.Key != member);
        }

        if (other.Key is not null)
        {
            await SendAsync(socket, $"peer {other.Value}", from);
            await SendAsync(socket, $"peer {from}", other.Value);
        }
    }

    private async Task SendAsync(Socket socket, string text, EndPoint to) =>
        await socket.SendToAsync(Encoding.ASCII.GetBytes(text), to, _stop.Token);
}
