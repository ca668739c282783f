using System.Collections.Immutable;
using System.Net.Sockets;
using Carrier.Chain.Access;
using Carrier.Chain.Networks;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;

namespace Carrier.Chain.Spv;

/// <summary>A connection to one peer, asked for filtered blocks. The peer may be hostile: frames are bounded, every step has a deadline, and nothing it says is believed
/// that was not proved by what it sent.</summary>
public sealed class SpvConnection : IDisposable
{
    /// <summary>Frames that do not answer the question and are passed over before the peer is given up.</summary>
    public const int MaxUnasked = 1_000;

    /// <summary>Blocks asked for in one getdata.</summary>
    public const int MaxBlocksAsked = 500;

    private readonly Stream _stream;
    private readonly uint _magic;
    private readonly TimeSpan _patience;
    private readonly byte[] _header = new byte[PeerFrame.HeaderBytes];
    private ulong _height;

    /// <summary>Takes over a stream; it is closed with the connection.</summary>
    public SpvConnection(Stream stream, uint magic, TimeSpan patience)
    {
        _stream = stream;
        _magic = magic;
        _patience = patience;
    }

    /// <summary>The height the peer announced. Hearsay.</summary>
    public ulong PeerHeight { get; private set; }

    /// <summary>Transactions the peer refused, and why.</summary>
    public List<PeerReject> Rejects { get; } = [];

    public static async Task<SpvConnection> ConnectAsync(string host, int port, ChainNetwork network, TimeSpan patience, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(network);
        var client = new TcpClient { NoDelay = true };
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(patience);
        try
        {
            await client.ConnectAsync(host, port, limit.Token).ConfigureAwait(false);
            return new SpvConnection(client.GetStream(), network.Magic, patience);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            client.Dispose();
            throw new SpvException(SpvFault.Unreachable, e.Message);
        }
    }

    /// <summary>Introduces us and learns the peer's version.</summary>
    public async Task HandshakeAsync(uint time, ulong nonce, ulong height, CancellationToken cancellationToken)
    {
        _height = height;
        await SendAsync("version", PeerMessages.Version(time, nonce, height), cancellationToken).ConfigureAwait(false);
        byte[] version = await ExpectAsync("version", cancellationToken).ConfigureAwait(false);
        PeerHeight = PeerMessages.TryReadVersion(version, out PeerVersion peer) ? peer.Height : throw new SpvException(SpvFault.Malformed, "Its version cannot be read.");
        _ = await ExpectAsync("verack", cancellationToken).ConfigureAwait(false);
        await SendAsync("verack", [], cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Tells the peer what to look for.</summary>
    public Task LoadFilterAsync(BloomFilter filter, CancellationToken cancellationToken) => SendAsync("filterload", PeerMessages.FilterLoad(filter), cancellationToken);

    public Task AddToFilterAsync(ReadOnlyMemory<byte> item, CancellationToken cancellationToken) =>
        SendAsync("filteradd", PeerMessages.FilterAdd(item.Span), cancellationToken);

    /// <summary>Hashes of up to 500 blocks after the newest one of the locator that the peer knows; after genesis when it knows none.</summary>
    /// <remarks>A peer that has no block to name does not answer: ask only one whose <see cref="PeerHeight"/> is greater. News of transactions is passed over.</remarks>
    public async Task<ImmutableArray<Hash256>> BlocksAfterAsync(IReadOnlyCollection<Hash256> locator, CancellationToken cancellationToken)
    {
        await SendAsync("getblocks", PeerMessages.GetBlocks(locator, default), cancellationToken).ConfigureAwait(false);
        for (int passed = 0; passed < MaxUnasked; passed++)
        {
            byte[] payload = await ExpectAsync("inv", cancellationToken).ConfigureAwait(false);
            if (!PeerMessages.TryReadInventory(payload, out var items) || items.Length > MaxBlocksAsked)
            {
                throw new SpvException(SpvFault.Malformed, "Its inventory cannot be read.");
            }

            ImmutableArray<Hash256> blocks = [.. items.Where(item => item.Kind is InventoryKind.Block or InventoryKind.ConfirmedBlock).Select(item => item.Hash)];
            if (!blocks.IsEmpty)
            {
                return blocks;
            }
        }

        throw new SpvException(SpvFault.Flood, "It sends what nobody asked for.");
    }

    /// <summary>Whether the peer has a block; a filter must be loaded.</summary>
    public async Task<bool> HasAsync(Hash256 block, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (FilteredBlock _ in FilteredBlocksAsync([block], cancellationToken).ConfigureAwait(false))
            {
                return true;
            }
        }
        catch (SpvException e) when (e.Fault == SpvFault.NotFound)
        {
            // It said so.
        }

        return false;
    }

    /// <summary>A transaction that waits in the peer's pool; null when there is none of that id.</summary>
    public async Task<Transaction?> WaitingAsync(Hash256 id, CancellationToken cancellationToken)
    {
        await SendAsync("getdata", PeerMessages.Inventory(InventoryKind.Transaction, id), cancellationToken).ConfigureAwait(false);
        try
        {
            byte[] raw = await ExpectAsync("tx", cancellationToken).ConfigureAwait(false);
            return Transaction.TryParse(raw, out Transaction? transaction) == TransactionReading.Read && transaction!.Id == id
                ? transaction
                : throw new SpvException(SpvFault.Lie, $"Asked for transaction {id}, it gave another.");
        }
        catch (SpvException e) when (e.Fault == SpvFault.NotFound)
        {
            return null;
        }
    }

    /// <summary>Filtered blocks in the order asked, each with its matched transactions; ids and tree are checked, headers are for the chain to judge.</summary>
    public async IAsyncEnumerable<FilteredBlock> FilteredBlocksAsync(
        IReadOnlyList<Hash256> hashes, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(hashes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(hashes.Count, MaxBlocksAsked);
        await SendAsync("getdata", PeerMessages.Inventory(InventoryKind.FilteredBlock, hashes), cancellationToken).ConfigureAwait(false);
        foreach (Hash256 hash in hashes)
        {
            byte[] payload = await ExpectAsync("merkleblock", cancellationToken).ConfigureAwait(false);
            if (!MerkleBlock.TryParse(payload, out MerkleBlock? block) || block!.Header.Hash != hash)
            {
                throw new SpvException(SpvFault.Lie, $"Asked for block {hash}, it gave another or none.");
            }

            var proved = ImmutableArray.CreateBuilder<ProvedTransaction>();
            List<Hash256> unreadable = [];
            foreach (MatchedTransaction match in block.Matches)
            {
                byte[] raw = await ExpectAsync("tx", cancellationToken).ConfigureAwait(false);
                TransactionReading reading = Transaction.TryParse(raw, out Transaction? transaction);
                if (reading is TransactionReading.UnknownType or TransactionReading.UnknownOutput or TransactionReading.UnknownAttribute)
                {
                    unreadable.Add(match.Id); // proved to be there and not to be read: an alarm, never silence
                    continue;
                }

                if (transaction is null || transaction.Id != match.Id)
                {
                    throw new SpvException(SpvFault.Lie, $"Asked for transaction {match.Id}, it gave another.");
                }

                proved.Add(new ProvedTransaction(transaction, block.Header, block.Proof, match.Branch));
            }

            yield return new FilteredBlock(block, proved.DrainToImmutable(), [.. unreadable]);
        }
    }

    /// <summary>Hands in a transaction. Peers do not answer unless they refuse: a ping tells that they have judged it.</summary>
    public async Task<PeerReject?> SubmitAsync(Transaction transaction, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        int before = Rejects.Count;
        await SendAsync("tx", transaction.Encode(), cancellationToken).ConfigureAwait(false);
        await PingAsync(cancellationToken).ConfigureAwait(false);
        return Rejects.Skip(before).Where(reject => reject.Hash == transaction.Id).Select(reject => (PeerReject?)reject).FirstOrDefault();
    }

    /// <summary>Asks whether the peer is there, and learns its height.</summary>
    public async Task PingAsync(CancellationToken cancellationToken)
    {
        await SendAsync("ping", PeerMessages.Ping(_height), cancellationToken).ConfigureAwait(false);
        byte[] pong = await ExpectAsync("pong", cancellationToken).ConfigureAwait(false);
        PeerHeight = PeerMessages.TryReadPing(pong, out ulong height) ? height : throw new SpvException(SpvFault.Malformed, "Its pong cannot be read.");
    }

    public void Dispose() => _stream.Dispose();

    private Task SendAsync(string command, byte[] payload, CancellationToken cancellationToken) =>
        WithinPatienceAsync(token => _stream.WriteAsync(PeerFrame.Encode(_magic, command, payload), token).AsTask(), cancellationToken);

    /// <summary>The next message of a kind. One deadline covers all that is passed over on the way, and so does a count.</summary>
    private async Task<byte[]> ExpectAsync(string command, CancellationToken cancellationToken)
    {
        byte[]? found = null;
        await WithinPatienceAsync(
            async token =>
            {
                for (int unasked = 0; found is null; unasked++)
                {
                    (string name, byte[] payload) = await ReadFrameAsync(token).ConfigureAwait(false);
                    if (name == command)
                    {
                        found = payload;
                    }
                    else if (name == "ping")
                    {
                        await _stream.WriteAsync(PeerFrame.Encode(_magic, "pong", PeerMessages.Ping(_height)), token).ConfigureAwait(false);
                    }
                    else if (name == "reject" && PeerMessages.TryReadReject(payload, out PeerReject reject) && Rejects.Count < MaxUnasked)
                    {
                        Rejects.Add(reject);
                    }
                    else if (name == "notfound")
                    {
                        throw new SpvException(SpvFault.NotFound, "It does not have what was asked for.");
                    }

                    if (unasked >= MaxUnasked)
                    {
                        throw new SpvException(SpvFault.Flood, "It sends what nobody asked for.");
                    }
                }
            },
            cancellationToken).ConfigureAwait(false);
        return found!;
    }

    private async Task<(string Command, byte[] Payload)> ReadFrameAsync(CancellationToken cancellationToken)
    {
        await _stream.ReadExactlyAsync(_header, cancellationToken).ConfigureAwait(false);
        FrameReading reading = PeerFrame.TryReadHeader(_header, _magic, out string command, out int length);
        if (reading != FrameReading.Read)
        {
            throw new SpvException(SpvFault.Malformed, $"A frame cannot be read ({reading}).");
        }

        // Grown as bytes arrive: a declared length costs its sender as much as us.
        using var payload = new MemoryStream();
        byte[] buffer = new byte[Math.Min(length, 1 << 16)];
        while (payload.Length < length)
        {
            int read = await _stream.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, length - payload.Length)), cancellationToken).ConfigureAwait(false);
            if (read == 0)
            {
                throw new EndOfStreamException();
            }

            payload.Write(buffer, 0, read);
        }

        byte[] bytes = payload.ToArray();
        return PeerFrame.IsIntact(_header, bytes) ? (command, bytes) : throw new SpvException(SpvFault.Malformed, "A frame's checksum is wrong.");
    }

    private async Task WithinPatienceAsync(Func<CancellationToken, Task> step, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(_patience);
        try
        {
            await step(limit.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new SpvException(SpvFault.TimedOut, "It took too long.");
        }
        catch (IOException e) // hung up, reset, truncated
        {
            throw new SpvException(SpvFault.Unreachable, e.Message);
        }
    }
}
