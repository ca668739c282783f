using Carrier.Chain.Access;
using Carrier.Chain.Headers;
using Carrier.Chain.Primitives;
using Carrier.Chain.Storage;
using Carrier.Chain.Wallet;
using Microsoft.Data.Sqlite;

namespace Carrier.Chain.Scanning;

/// <summary>What a scan of the chain took, each transaction with its proof, so that the next one goes on where it stopped. It can be thrown away: a new scan finds the same.</summary>
public sealed class ScanStore : IDisposable
{
    private const int Version = 1;

    private const string Schema = """
        CREATE TABLE taken (height INTEGER NOT NULL, place INTEGER NOT NULL, proof BLOB NOT NULL, PRIMARY KEY (height, place)) STRICT;
        CREATE TABLE mark (height INTEGER PRIMARY KEY, block BLOB NOT NULL) STRICT;
        """;

    private readonly SqliteConnection _connection;
    private readonly string _network;

    private ScanStore(SqliteConnection connection, string network)
    {
        _connection = connection;
        _network = network;
    }

    /// <summary>The last block that was looked through; 0 for none.</summary>
    public uint ScannedTo => TryGetMark(uint.MaxValue, out uint height, out _) ? height : 0;

    /// <exception cref="InvalidDataException">The file is damaged or of another version.</exception>
    public static ScanStore Open(string path, string network) => new(ChainDatabase.Open(path, Version, Schema), network);

    /// <summary>Notes that every block up to <paramref name="last"/> was looked through, and what was taken since the mark before. On disk when it returns.</summary>
    public void Append(in BlockHeader last, IReadOnlyList<ProvedTransaction> taken)
    {
        ArgumentNullException.ThrowIfNull(taken);
        using SqliteTransaction transaction = _connection.BeginTransaction();
        foreach (ProvedTransaction proved in taken)
        {
            _connection.Run(
                "INSERT OR REPLACE INTO taken (height, place, proof) VALUES ($height, $place, $proof)",
                ("$height", (long)proved.Header.Height), ("$place", (long)proved.Branch.Index), ("$proof", InclusionProof.Write(_network, proved)));
        }

        _connection.Run("INSERT OR REPLACE INTO mark (height, block) VALUES ($height, $block)", ("$height", (long)last.Height), ("$block", last.Hash.ToArray()));
        transaction.Commit();
    }

    /// <summary>Forgets everything above a height.</summary>
    public void Rewind(uint height)
    {
        using SqliteTransaction transaction = _connection.BeginTransaction();
        _connection.Run("DELETE FROM taken WHERE height > $height", ("$height", (long)height));
        _connection.Run("DELETE FROM mark WHERE height > $height", ("$height", (long)height));
        transaction.Commit();
    }

    /// <summary>The newest mark at or below a height.</summary>
    public bool TryGetMark(uint below, out uint height, out Hash256 block)
    {
        using SqliteCommand command = _connection.Statement("SELECT height, block FROM mark WHERE height <= $below ORDER BY height DESC LIMIT 1", ("$below", (long)below));
        using SqliteDataReader reader = command.ExecuteReader();
        bool found = reader.Read();
        height = found ? checked((uint)reader.GetInt64(0)) : 0;
        block = found ? new Hash256((byte[])reader[1]) : default;
        return found;
    }

    /// <summary>Everything taken, in the chain's order.</summary>
    /// <exception cref="InvalidDataException">A row does not hold what it should.</exception>
    public IReadOnlyList<ProvedTransaction> Transactions()
    {
        using SqliteCommand command = _connection.Statement("SELECT proof FROM taken ORDER BY height, place");
        using SqliteDataReader reader = command.ExecuteReader();
        List<ProvedTransaction> taken = [];
        while (reader.Read())
        {
            taken.Add(InclusionProof.Verify((byte[])reader[0], out _, out ProvedTransaction? proved) == InclusionVerdict.Sound
                ? proved!
                : throw new InvalidDataException("A transaction in a file of scans is damaged."));
        }

        return taken;
    }

    public void Dispose() => _connection.Dispose();
}
