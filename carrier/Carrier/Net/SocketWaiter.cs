using System.Net.Sockets;

namespace Carrier.Net;

/// <summary>Where the network thread sleeps: until a socket is readable, the deadline comes, or another thread wakes it.</summary>
internal abstract class SocketWaiter : IDisposable
{
    /// <summary>No socket is waited on for writing.</summary>
    public const int NoWriter = -1;

    public static SocketWaiter For(DatagramSockets sockets) => OperatingSystem.IsLinux() ? new PollWaiter(sockets) : new SelectWaiter(sockets);

    /// <summary>Sleeps; may return early. Only the network thread calls it.</summary>
    /// <param name="timeout">Zero only looks; <see cref="Timeout.InfiniteTimeSpan"/> waits without end.</param>
    /// <param name="writer">The index of a socket to wait on for room to send, or <see cref="NoWriter"/>.</param>
    /// <returns>True when a socket is ready or a wake came, false when the time is over.</returns>
    public abstract bool Wait(TimeSpan timeout, int writer);

    /// <summary>Whether the last <see cref="Wait"/> ended with something to read, or an error to take, at a socket of the node. Only the network thread calls it.</summary>
    public abstract bool IsReadable(int index);

    /// <summary>Has these sockets waited on for reading besides the node's own, from now on. Only the network thread calls it.</summary>
    public abstract void Watch(IReadOnlyCollection<Socket> others);

    /// <summary>Ends the present or the next <see cref="Wait"/>. Any thread, at any time, even after disposal.</summary>
    public abstract void Wake();

    public abstract void Dispose();
}
