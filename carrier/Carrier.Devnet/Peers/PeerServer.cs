using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Carrier.Chain.Transactions;
using Carrier.Core;
using Carrier.Devnet.Blocks;

namespace Carrier.Devnet.Peers;

/// <summary>The peer protocol on loopback: one <see cref="PeerSession"/> a connection, bounded in number, frames and time.</summary>
internal sealed class PeerServer : IAsyncDisposable
{
    /// <summary>Connections at once; the next is closed at once.</summary>
    public const int MaxPeers = 32;

    /// <summary>Longest message taken from a peer: a transaction. Nobody hands blocks in here.</summary>
    public const int MaxPayloadBytes = TransactionLimits.MaxBytes;

    /// <summary>A frame begun is whole within this time, and one of ours is taken within it.</summary>
    public static readonly TimeSpan FramePatience = TimeSpan.FromSeconds(30);

    /// <summary>A peer that says nothing for so long is gone.</summary>
    public static readonly TimeSpan IdlePatience = TimeSpan.FromMinutes(10);

    private readonly TcpListener _listener;
    private readonly DevnetChain _chain;
    private readonly Lock _chainLock;
    private readonly Func<UnixTime> _now;
    private readonly uint _magic;
    private readonly CancellationTokenSource _stop = new();
    private readonly HashSet<PeerConnection> _peers = [];
    private readonly Task _accepting;

    /// <param name="chain">What peers ask of.</param>
    /// <param name="chainLock">Held while the chain is used; its events come under it too.</param>
    /// <param name="port">On loopback; 0 for any free one.</param>
    /// <param name="now">The wall clock.</param>
    /// <param name="magic">What frames open with; null for the chain's own.</param>
    public PeerServer(DevnetChain chain, Lock chainLock, int port, Func<UnixTime> now, uint? magic = null)
    {
        _magic = magic ?? chain.Network.Magic;
        _chain = chain;
        _chainLock = chainLock;
        _now = now;
        _listener = new TcpListener(IPAddress.Loopback, port);
        _listener.Start();
        lock (chainLock)
        {
            chain.Connected += block => Tell(session => session.Announce(block.Header.Hash));
            chain.Ledger.Pooled += transaction => Tell(session => session.Announce(transaction));
        }

        _accepting = AcceptAsync();
    }

    public IPEndPoint Address => (IPEndPoint)_listener.LocalEndpoint;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        _listener.Stop();
        await _accepting.ConfigureAwait(false);
        _listener.Dispose();
        _stop.Dispose();
    }

    /// <summary>Under the chain's lock, as its events are.</summary>
    private void Tell(Action<PeerSession> news)
    {
        foreach (PeerConnection peer in _peers)
        {
            news(peer.Session);
            peer.Wake();
        }
    }

    private async Task AcceptAsync()
    {
        List<Task> serving = [];
        try
        {
            while (true)
            {
                TcpClient client = await _listener.AcceptTcpClientAsync(_stop.Token).ConfigureAwait(false);
                serving.RemoveAll(task => task.IsCompleted);
                if (serving.Count >= MaxPeers)
                {
                    client.Dispose();
                    continue;
                }

                serving.Add(ServeAsync(client));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The devnet is stopping.
        }

        await Task.WhenAll(serving).ConfigureAwait(false);
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            client.NoDelay = true;
            var session = new PeerSession(_chain, _magic, BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))));
            using var peer = new PeerConnection(client.GetStream(), session, _magic, _chainLock, _now);
            lock (_chainLock)
            {
                _ = _peers.Add(peer);
            }

            try
            {
                await peer.RunAsync(_stop.Token).ConfigureAwait(false);
            }
            finally
            {
                lock (_chainLock)
                {
                    _ = _peers.Remove(peer);
                }
            }
        }
    }
}
