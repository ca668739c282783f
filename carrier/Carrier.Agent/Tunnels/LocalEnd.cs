namespace Carrier.Agent.Tunnels;

/// <summary>The end of a tunnel on this machine: a socket, a command's standard streams, or the web server. One receiver and one sender at a time.</summary>
internal abstract class LocalEnd : IAsyncDisposable
{
    /// <summary>Waits until there is something to receive, so that idle connections hold no buffer.</summary>
    /// <exception cref="IOException">It was cut off; so for all members.</exception>
    public abstract ValueTask WaitAsync(CancellationToken cancellationToken);

    /// <summary>Receives at least one byte; zero at the end.</summary>
    public abstract ValueTask<int> ReceiveAsync(Memory<byte> destination, CancellationToken cancellationToken);

    /// <summary>Sends all of it.</summary>
    public abstract ValueTask SendAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken);

    /// <summary>Says that nothing more will be sent; receiving goes on.</summary>
    public abstract ValueTask EndSendingAsync();

    /// <summary>Cuts both directions off, so that the other end knows that it was no orderly end.</summary>
    public abstract void Reset();

    public abstract ValueTask DisposeAsync();
}
