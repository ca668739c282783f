using System.Net;
using Carrier.Core;
using Carrier.Devnet.Blocks;
using Carrier.Devnet.Peers;
using Carrier.Devnet.Rpc;

namespace Carrier.Devnet.Hosting;

/// <summary>A running devnet: one chain behind one lock, asked over HTTP and by peers, with its blocks on disk. For development and tests.</summary>
public sealed class DevnetNode : IAsyncDisposable
{
    public const string Name = "devnet";

    private const string BlockFileName = "blocks.dat";

    private readonly Lock _lock = new();
    private readonly DevnetChain _chain;
    private readonly Faucet _faucet;
    private readonly BlockFile? _file;
    private readonly RpcService _rpc;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stop = new();
    private RpcServer? _server;
    private PeerServer? _peers;
    private Task _mining = Task.CompletedTask;

    private DevnetNode(DevnetOptions options, TimeProvider time)
    {
        _time = time;
        _chain = new DevnetChain(Name, Faucet.Owner);
        _faucet = new Faucet(_chain);
        if (options.Folder is { } folder)
        {
            _ = Directory.CreateDirectory(folder);
            _file = BlockFile.Open(Path.Combine(folder, BlockFileName), _chain, Now());
            _chain.Connected += _file.Append;
            _chain.Rewound += _file.AppendRewind;
        }

        _faucet.Prepare(Now());
        _rpc = new RpcService(_chain, Faucet.Owner, Now, _faucet);
    }

    /// <summary>Where JSON-RPC is spoken.</summary>
    public Uri Address => _server!.Address;

    /// <summary>Where the peer protocol is spoken; null when it is not.</summary>
    public IPEndPoint? PeerAddress => _peers?.Address;

    /// <summary>Opens or makes the chain and begins to serve it.</summary>
    public static async Task<DevnetNode> StartAsync(DevnetOptions options, TimeProvider time, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(time);
        var node = new DevnetNode(options, time);
        try
        {
            node._server = await RpcServer.StartAsync(node.Answer, options, cancellationToken).ConfigureAwait(false);
            node._peers = options.PeerPort is { } port ? new PeerServer(node._chain, node._lock, port, node.Now) : null;
            node._mining = options.BlockTime is { } interval ? node.MineEveryAsync(interval) : Task.CompletedTask;
            return node;
        }
        catch
        {
            await node.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Runs <paramref name="action"/> on the chain, with everybody else kept away.</summary>
    public T Use<T>(Func<DevnetChain, Faucet, T> action)
    {
        ArgumentNullException.ThrowIfNull(action);
        lock (_lock)
        {
            return action(_chain, _faucet);
        }
    }

    /// <summary>Mines blocks now.</summary>
    public void Mine(int blocks)
    {
        lock (_lock)
        {
            for (int i = 0; i < blocks; i++)
            {
                _ = _chain.Mine(Faucet.Owner, Now());
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _mining.ConfigureAwait(false);
        if (_peers is not null)
        {
            await _peers.DisposeAsync().ConfigureAwait(false);
        }

        if (_server is not null)
        {
            await _server.DisposeAsync().ConfigureAwait(false);
        }

        _file?.Dispose();
        _faucet.Dispose();
        _chain.Dispose();
        _stop.Dispose();
    }

    private RpcReply Answer(ReadOnlySpan<byte> body)
    {
        lock (_lock)
        {
            return _rpc.Answer(body);
        }
    }

    private UnixTime Now() => new(_time.GetUtcNow().ToUnixTimeSeconds());

    private async Task MineEveryAsync(TimeSpan interval)
    {
        using var timer = new PeriodicTimer(interval, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false))
            {
                Mine(1);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The devnet is stopping.
        }
    }
}
