using Carrier.Chain.Access;
using Carrier.Chain.Primitives;

namespace Carrier.Chain.Scanning;

/// <summary>Feeds an index with every block of the chain, and keeps on disk what it took. Nobody asked can add a transaction or leave one out.</summary>
public sealed class ChainScanner
{
    private readonly IChainAccess _access;
    private readonly IScanIndex _index;
    private readonly ScanStore _store;
    private readonly uint _from;
    private readonly List<Hash256> _unreadable = [];

    /// <summary>Goes on where the store stands.</summary>
    /// <param name="access">Who is asked.</param>
    /// <param name="index">Empty; filled with what the store has.</param>
    /// <param name="store">What was taken before.</param>
    /// <param name="from">The first block looked through, above genesis.</param>
    public ChainScanner(IChainAccess access, IScanIndex index, ScanStore store, uint from)
    {
        ArgumentNullException.ThrowIfNull(index);
        ArgumentNullException.ThrowIfNull(store);
        ArgumentOutOfRangeException.ThrowIfZero(from);
        _access = access;
        _index = index;
        _store = store;
        _from = from;
        foreach (IGrouping<uint, ProvedTransaction> block in store.Transactions().GroupBy(taken => taken.Header.Height))
        {
            index.Apply(block.Key, [.. block]);
        }

        index.Apply(Math.Max(store.ScannedTo, from - 1), []);
    }

    /// <summary>Transactions that are in a block and that nobody gave in a form this client reads. None of them is wanted, if those asked are honest about their kind.</summary>
    public IReadOnlyList<Hash256> Unreadable => _unreadable;

    /// <summary>Goes on to the tip of the header chain; rewinds first what a reorganisation left. False when nobody gave a block: nothing is skipped.</summary>
    public async Task<bool> ScanAsync(CancellationToken cancellationToken)
    {
        uint shared = LastShared();
        if (shared < _index.ScannedTo)
        {
            _index.Rewind(shared);
            _store.Rewind(shared);
        }

        while (_index.ScannedTo < _access.Headers.Tip.Header.Height)
        {
            IReadOnlyList<WholeBlock> blocks = await _access.ReadBlocksAsync(_index.ScannedTo + 1, cancellationToken).ConfigureAwait(false);
            if (blocks.Count == 0)
            {
                return false;
            }

            List<ProvedTransaction> taken = [];
            foreach (WholeBlock block in blocks)
            {
                ProvedTransaction[] wanted = [.. block.Transactions.Where(_index.Wants)];
                _index.Apply(block.Header.Height, wanted);
                taken.AddRange(wanted);
                _unreadable.AddRange(block.Unreadable);
            }

            _store.Append(blocks[^1].Header, taken);
        }

        return true;
    }

    /// <summary>The newest height where what was looked through is still on the chain, as far as marks tell.</summary>
    private uint LastShared()
    {
        for (uint below = _index.ScannedTo; below >= _from && _store.TryGetMark(below, out uint height, out Hash256 block); below = height - 1)
        {
            if (_access.IsOnChain(height, block))
            {
                return height;
            }
        }

        return _from - 1;
    }
}
