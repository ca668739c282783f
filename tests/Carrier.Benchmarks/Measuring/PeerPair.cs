using System.Globalization;

namespace Carrier.Benchmarks.Measuring;

/// <summary>A serving process on one core that lives for all rounds, and a fresh measuring process on another core each round.</summary>
internal sealed class PeerPair : IAsyncDisposable
{
    public const int ClientCore = 0;
    public const int ServerCore = 1;

    private readonly ChildProcess _server;
    private readonly string _arg;
    private readonly string[] _transport;

    private PeerPair(ChildProcess server, string arg, string[] transport)
    {
        _server = server;
        _arg = arg;
        _transport = transport;
    }

    public static async Task<PeerPair> StartAsync(string transport, IEnumerable<string> options)
    {
        string[] words = ["--transport", transport, .. options];
        ChildProcess server = ChildProcess.Start(ServerCore, ["peer", "server", "--ends-with-input", .. words]);
        return new PeerPair(server, await server.ReadArgAsync(), words);
    }

    public async Task<Dictionary<string, double?>> MeasureAsync(long bytes, int pings, int handshakes)
    {
        string[] numbers = [.. new[] { bytes, pings, handshakes }.Select(number => number.ToString(CultureInfo.InvariantCulture))];
        await using ChildProcess client = ChildProcess.Start(ClientCore, ["peer", "client", _arg, .. numbers, "--details", .. _transport]);
        return Figures.Read(await client.ReadLineAsync());
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();
}
