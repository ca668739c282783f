using System.Diagnostics.CodeAnalysis;
using Carrier.Chain.Headers;
using Carrier.Chain.Networks;
using Carrier.Chain.Primitives;
using Microsoft.Data.Sqlite;

namespace Carrier.Chain.Storage;

/// <summary>The best chain's headers on disk, 84 bytes each, so that a sync resumes where it stopped. Proofs are judged before and not kept.</summary>
/// <remarks>
/// One transaction a save: a crash leaves the chain of the save before. The file belongs to one process and one thread at a time.
/// </remarks>
public sealed class HeaderStore : IDisposable
{
    /// <summary>Headers after which <see cref="Save"/> must be called at the latest: the chain in memory forgets older ones.</summary>
    public const int MaxUnsaved = HeaderChain.Window - HeaderChain.MaxReorganisation - 1;

    private const int Version = 1;

    private const string Schema = """
        CREATE TABLE header (height INTEGER PRIMARY KEY, core BLOB NOT NULL) STRICT;
        CREATE TABLE origin (id INTEGER PRIMARY KEY CHECK (id = 1), hash BLOB NOT NULL, tip_work TEXT NOT NULL) STRICT;
        """;

    private readonly SqliteConnection _connection;
    private readonly ChainNetwork _network;
    private readonly IReadOnlyList<HeaderAnchor> _anchors;
    private HeaderAnchor _anchor;

    private HeaderStore(SqliteConnection connection, ChainNetwork network, IReadOnlyList<HeaderAnchor> anchors)
    {
        _connection = connection;
        _network = network;
        _anchors = anchors;
        _anchor = anchors[^1];
    }

    /// <summary>The height the chain begins at: trusted, not judged.</summary>
    public uint Origin => _anchor.Header.Height;

    /// <summary>Opens or creates the file for a chain that begins at <paramref name="anchor"/>.</summary>
    /// <exception cref="InvalidDataException">It is damaged, or of another chain.</exception>
    public static HeaderStore Open(string path, ChainNetwork network, HeaderAnchor anchor) => Open(path, network, [anchor]);

    /// <summary>The same where a client may have begun at several blocks: a new file begins at the last, one that is there keeps where it began.</summary>
    /// <exception cref="InvalidDataException">It is damaged, or begins at none of them.</exception>
    public static HeaderStore Open(string path, ChainNetwork network, IReadOnlyList<HeaderAnchor> anchors)
    {
        ArgumentNullException.ThrowIfNull(anchors);
        SqliteConnection connection = ChainDatabase.Open(path, Version, Schema);
        var store = new HeaderStore(connection, network, anchors);
        try
        {
            store.CheckOrigin();
            return store;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>The chain as it was last saved, held to the checkpoints above its origin.</summary>
    /// <exception cref="InvalidDataException">The headers do not follow each other, or pass another block.</exception>
    public HeaderChain Load()
    {
        HeaderChain chain = Restore();
        foreach (BlockHeader vouched in _anchors.Select(anchor => anchor.Header).Where(header => header.Height > Origin))
        {
            if (TryGet(vouched.Height, out BlockHeader stored) && stored != vouched)
            {
                throw new InvalidDataException($"The stored headers pass another block {vouched.Height} than a checkpoint vouches for.");
            }

            chain.AddCheckpoint(vouched.Height, vouched.Hash);
        }

        return chain;
    }

    /// <summary>What a client needs to begin at a block of the saved chain; false where it cannot: the height is no multiple of 720, or not above the origin.</summary>
    public bool TryGetAnchor(uint height, [NotNullWhen(true)] out HeaderAnchor? anchor)
    {
        anchor = null;
        if (height <= Origin || height % Difficulty.RetargetBlocks != 0 || !TryReadTip(out uint tip, out ChainWork work) || height > tip)
        {
            return false;
        }

        List<BlockHeader> headers = [.. Read(height, tip)];
        anchor = AnchorAt(headers[0], WorkBefore(headers, work));
        return true;
    }

    private HeaderChain Restore()
    {
        if (!TryReadTip(out uint tip, out ChainWork tipWork) || tip == _anchor.Header.Height)
        {
            return new HeaderChain(_network, _anchor);
        }

        uint first = Math.Max(_anchor.Header.Height, tip >= HeaderChain.Window ? tip - HeaderChain.Window + 1 : 0);
        List<BlockHeader> headers = [.. Read(first, tip)];
        if (headers.Count != tip - first + 1)
        {
            throw new InvalidDataException("Stored headers are missing.");
        }

        HeaderAnchor from = first == _anchor.Header.Height ? _anchor : AnchorAt(headers[0], WorkBefore(headers, tipWork));
        var chain = new HeaderChain(_network, from);
        foreach (BlockHeader header in headers.Skip(1))
        {
            chain.Restore(header);
        }

        return chain.Tip.Work == tipWork ? chain : throw new InvalidDataException("The stored work does not fit the stored headers.");
    }

    /// <summary>Brings the file to the chain's state: what a reorganisation left goes, what is new comes. When it returns, it is on disk.</summary>
    public void Save(HeaderChain chain)
    {
        ArgumentNullException.ThrowIfNull(chain);
        using SqliteTransaction transaction = _connection.BeginTransaction();
        uint next = FirstUnsaved(chain);
        _connection.Run("DELETE FROM header WHERE height >= $height", ("$height", next));
        Span<byte> core = stackalloc byte[BlockHeader.Bytes];
        using SqliteCommand insert = _connection.Statement("INSERT INTO header (height, core) VALUES ($height, $core)", ("$height", 0L), ("$core", Array.Empty<byte>()));
        for (uint height = next; height <= chain.Tip.Header.Height; height++)
        {
            if (!chain.TryGet(height, out HeaderEntry entry))
            {
                throw new InvalidOperationException($"The chain forgot height {height} before it was saved.");
            }

            entry.Header.CopyTo(core);
            insert.Parameters[0].Value = (long)height;
            insert.Parameters[1].Value = core.ToArray();
            _ = insert.ExecuteNonQuery();
        }

        _connection.Run("UPDATE origin SET tip_work = $work", ("$work", chain.Tip.Work.ToString()));
        transaction.Commit();
    }

    /// <summary>A header of the saved best chain.</summary>
    public bool TryGet(uint height, out BlockHeader header)
    {
        header = Read(height, height).FirstOrDefault();
        return header != default;
    }

    public void Dispose() => _connection.Dispose();

    private void CheckOrigin()
    {
        using (SqliteCommand command = _connection.Statement("SELECT hash FROM origin"))
        {
            if (command.ExecuteScalar() is byte[] found)
            {
                var origin = new Hash256(found);
                _anchor = _anchors.FirstOrDefault(anchor => anchor.Header.Hash == origin)
                    ?? throw new InvalidDataException("The stored headers begin at another block: they are of another network or checkpoint.");
                return;
            }
        }

        byte[] core = new byte[BlockHeader.Bytes];
        _anchor.Header.CopyTo(core);
        using SqliteTransaction transaction = _connection.BeginTransaction();
        _connection.Run("INSERT INTO origin (id, hash, tip_work) VALUES (1, $hash, $work)", ("$hash", _anchor.Header.Hash.ToArray()), ("$work", _anchor.Work.ToString()));
        _connection.Run("INSERT INTO header (height, core) VALUES ($height, $core)", ("$height", _anchor.Header.Height), ("$core", core));
        transaction.Commit();
    }

    private uint FirstUnsaved(HeaderChain chain)
    {
        if (!TryReadTip(out uint height, out _))
        {
            return _anchor.Header.Height;
        }

        while (height > _anchor.Header.Height && !(TryGet(height, out BlockHeader saved) && chain.Contains(height, saved.Hash)))
        {
            height--;
        }

        return height + 1;
    }

    private bool TryReadTip(out uint height, out ChainWork work)
    {
        using SqliteCommand command = _connection.Statement("SELECT (SELECT MAX(height) FROM header), tip_work FROM origin");
        using SqliteDataReader reader = command.ExecuteReader();
        bool read = reader.Read() && !reader.IsDBNull(0);
        height = read ? checked((uint)reader.GetInt64(0)) : 0;
        work = ChainWork.None;
        return read && (ChainWork.TryParse(reader.GetString(1), out work) ? true : throw new InvalidDataException("The stored work is damaged."));
    }

    private IEnumerable<BlockHeader> Read(uint first, uint last)
    {
        using SqliteCommand command = _connection.Statement("SELECT core FROM header WHERE height BETWEEN $first AND $last ORDER BY height", ("$first", first), ("$last", last));
        using SqliteDataReader reader = command.ExecuteReader();
        while (reader.Read())
        {
            yield return BlockHeader.TryRead((byte[])reader[0], out BlockHeader header) ? header : throw new InvalidDataException("A stored header is damaged.");
        }
    }

    private static ChainWork WorkBefore(List<BlockHeader> headers, ChainWork tipWork)
    {
        foreach (BlockHeader header in headers.Skip(1))
        {
            tipWork -= Difficulty.Work(header.Bits);
        }

        return tipWork;
    }

    private HeaderAnchor AnchorAt(BlockHeader header, ChainWork work)
    {
        uint first = Math.Max(_anchor.Header.Height, header.Height - (HeaderChain.MedianOf - 1));
        return new HeaderAnchor(header, work, [.. Read(first, header.Height - 1).Select(earlier => earlier.Timestamp).Reverse()]);
    }
}
