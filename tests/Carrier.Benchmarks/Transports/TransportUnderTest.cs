namespace Carrier.Benchmarks.Transports;

/// <summary>What one side of a benchmark needs of a transport: an authenticated, encrypted, reliable byte stream between two processes.</summary>
internal abstract class TransportUnderTest : IAsyncDisposable
{
    /// <summary>What <c>--transport</c> takes.</summary>
    public static IReadOnlyList<string> Names { get; } = ["carrier", "sslstream"];

    public static TransportUnderTest Create(BenchOptions options) => options.Transport switch
    {
        "carrier" => new CarrierTransport(options),
        "sslstream" => new SslStreamTransport(),
        _ => throw new ArgumentException($"There is no transport '{options.Transport}'."),
    };

    /// <summary>Datagrams this side sent and received so far; zero where the transport cannot tell.</summary>
    public virtual long Packets => 0;

    /// <summary>Begins to serve: every stream a client opens goes to <paramref name="serve"/>, which owns it. Returns the ARG a client connects by.</summary>
    public abstract Task<string> ListenAsync(Func<Stream, Task> serve);

    /// <summary>Makes a new connection, handshake included, and opens one stream on it. Disposing the stream ends the connection.</summary>
    public abstract Task<Stream> ConnectAsync(string arg);

    /// <summary>Opens one more stream on the connection of <paramref name="stream"/>; null where a connection is one stream.</summary>
    public virtual Task<Stream?> OpenAsync(Stream stream) => Task.FromResult<Stream?>(null);

    public abstract ValueTask DisposeAsync();
}
