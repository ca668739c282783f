using System.IO.Pipelines;
using Carrier.Core.Session.Streams;
using Carrier.Driving;
using Carrier.Streams;

namespace Carrier;

/// <summary>One reliable, ordered stream of bytes each way inside a session. Opening one costs no round trip.</summary>
/// <remarks>
/// The peer learns of a stream with its first byte or its end. Back-pressure goes all the way: where the peer's application does not read, a flush here waits.
/// No continuation of the application ever runs on the network thread. One reader and one writer at a time, as with any pipe.
/// </remarks>
#pragma warning disable CA1711 // it is a stream, in the words of QUIC; AsStream gives the other kind
public sealed class CarrierStream : IDuplexPipe, IAsyncDisposable
#pragma warning restore CA1711
{
    private readonly StreamDriver _driver;

    internal CarrierStream(StreamDriver driver, PipeReader incoming, PipeWriter outgoing)
    {
        _driver = driver;
        Input = new StreamInput(incoming, driver);
        Output = new StreamOutput(outgoing, driver);
    }

    /// <summary>The stream's number, unique in its session.</summary>
    public ulong Id => _driver.Id.Value;

    /// <summary>What the peer sends. It completes at the peer's end and faults with <see cref="CarrierException"/> where the stream or session was cut off;
    /// completing it early asks the peer to stop.</summary>
    public PipeReader Input { get; }

    /// <summary>What goes to the peer. Completing it ends the stream after what was written; completing it with an exception resets it.</summary>
    public PipeWriter Output { get; }

    /// <summary>How what is sent on this stream stands against the session's other streams. May be changed at any time; the peer chooses for what it sends.</summary>
    public StreamPriority Priority
    {
        get => _driver.Priority;
        set => _driver.Priority = value;
    }

    /// <summary>Both directions as a stream; disposing it disposes this.</summary>
    public Stream AsStream() => new DuplexStream(this);

    /// <summary>Gives up both directions at once: unsent bytes are dropped and the peer learns <paramref name="code"/>.</summary>
    public void Abort(ulong code) => _driver.Abort(code);

    /// <summary>Ends both directions: what was written still arrives, what was not read is dropped.</summary>
    public ValueTask DisposeAsync()
    {
        Complete();
        return ValueTask.CompletedTask;
    }

    internal void Complete()
    {
        Output.Complete();
        Input.Complete();
    }
}
