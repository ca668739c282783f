using Carrier.Node.Serving;
using Carrier.Node.Sessions;

namespace Carrier.Node.Punching;

/// <summary>The numbers of the sockets a device has beyond its own, and whose they are: those a session found a path through stay until it leaves them, one without a session until it is given back.</summary>
internal sealed class SocketLeases
{
    /// <summary>Sockets beyond the node's own, those of adopted paths and of the attempts under way together.</summary>
    public const int MaxSockets = 1024;

    private readonly Dictionary<ushort, NodeSession?> _holders = [];
    private readonly Queue<ushort> _toClose = new();
    private ushort _last;

    public int Count => _holders.Count;

    /// <summary>Takes a number that nobody has; false when all are out.</summary>
    public bool TryTake(NodeSession? holder, out ushort socket)
    {
        socket = 0;
        if (_holders.Count >= MaxSockets)
        {
            return false;
        }

        do
        {
            _last = _last == Knocks.OtherSocket - 1 ? (ushort)1 : (ushort)(_last + 1);
        }
        while (_holders.ContainsKey(_last));
        _holders.Add(_last, holder);
        socket = _last;
        return true;
    }

    /// <summary>Gives sockets back, except those that paths of their session leave from.</summary>
    public void Release(List<ushort> sockets)
    {
        foreach (ushort socket in sockets)
        {
            if (_holders.TryGetValue(socket, out NodeSession? holder) && !IsUsed(socket, holder))
            {
                Close(socket);
            }
        }

        sockets.Clear();
    }

    /// <summary>Gives back a socket that was nobody's.</summary>
    public void Release(ushort socket) => Close(socket);

    /// <summary>Gives back what sessions have left since.</summary>
    public void Sweep(Func<ushort, bool> isInAttempt)
    {
        foreach ((ushort socket, NodeSession? holder) in _holders.ToArray())
        {
            if (holder is not null && !IsUsed(socket, holder) && !isInAttempt(socket))
            {
                Close(socket);
            }
        }
    }

    /// <summary>A socket the shell is to close.</summary>
    public bool TryTakeClosed(out ushort socket) => _toClose.TryDequeue(out socket);

    private static bool IsUsed(ushort socket, NodeSession? holder) => holder is { IsRemoved: false } && holder.Machine.UsesSocket(socket);

    private void Close(ushort socket)
    {
        _ = _holders.Remove(socket);
        _toClose.Enqueue(socket);
    }
}
