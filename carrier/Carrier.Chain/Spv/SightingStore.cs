using System.Collections.Immutable;
using Carrier.Chain.Access;
using Carrier.Chain.Blocks;
using Carrier.Chain.Headers;
using Carrier.Chain.Primitives;
using Carrier.Chain.Storage;
using Carrier.Chain.Transactions;
using Microsoft.Data.Sqlite;

namespace Carrier.Chain.Spv;

/// <summary>What peers showed of one account, each transaction with its proof, and how far each peer was asked. It can be thrown away: peers show it again.</summary>
public sealed class SightingStore : IDisposable
{
    private const int Version = 1;

    private const string Schema = """
        CREATE TABLE sighting (txid BLOB NOT NULL, block BLOB NOT NULL, height INTEGER NOT NULL, header BLOB NOT NULL, auxpow BLOB NOT NULL, raw BLOB NOT NULL,
            place INTEGER NOT NULL, count INTEGER NOT NULL, branch BLOB NOT NULL, PRIMARY KEY (txid, block)) STRICT;
        CREATE TABLE scan (peer TEXT PRIMARY KEY, height INTEGER NOT NULL, block BLOB NOT NULL) STRICT;
        CREATE TABLE alarm (txid BLOB PRIMARY KEY) STRICT;
        """;

    private readonly SqliteConnection _connection;

    private SightingStore(SqliteConnection connection) => _connection = connection;

    /// <exception cref="InvalidDataException">The file is damaged or of another version.</exception>
    public static SightingStore Open(string path) => new(ChainDatabase.Open(path, Version, Schema));

    /// <summary>The last block a peer was asked for; false when it never was.</summary>
    public bool TryGetScanned(string peer, out uint height, out Hash256 block)
    {
        using SqliteCommand command = _connection.Statement("SELECT height, block FROM scan WHERE peer = $peer", ("$peer", peer));
        using SqliteDataReader reader = command.ExecuteReader();
        bool found = reader.Read();
        height = found ? checked((uint)reader.GetInt64(0)) : 0;
        block = found ? new Hash256((byte[])reader[1]) : default;
        return found;
    }

    /// <summary>Notes in one step what a peer showed up to a block.</summary>
    public void Save(string peer, in BlockHeader last, IReadOnlyCollection<ProvedTransaction> sightings, IReadOnlyCollection<Hash256> unreadable)
    {
        ArgumentNullException.ThrowIfNull(sightings);
        ArgumentNullException.ThrowIfNull(unreadable);
        using SqliteTransaction transaction = _connection.BeginTransaction();
        foreach (ProvedTransaction sighting in sightings)
        {
            Add(sighting);
        }

        foreach (Hash256 id in unreadable)
        {
            _connection.Run("INSERT OR IGNORE INTO alarm (txid) VALUES ($id)", ("$id", id.ToArray()));
        }

        _connection.Run(
            "INSERT OR REPLACE INTO scan (peer, height, block) VALUES ($peer, $height, $block)",
            ("$peer", peer), ("$height", (long)last.Height), ("$block", last.Hash.ToArray()));
        transaction.Commit();
    }

    /// <summary>Every transaction shown, in the chain's order; some may be in blocks that left the chain.</summary>
    /// <exception cref="InvalidDataException">A row does not hold what it should.</exception>
    public IReadOnlyList<ProvedTransaction> Sightings()
    {
        using SqliteCommand command = _connection.Statement("SELECT header, auxpow, raw, place, count, branch FROM sighting ORDER BY height, place");
        using SqliteDataReader reader = command.ExecuteReader();
        List<ProvedTransaction> sightings = [];
        while (reader.Read())
        {
            var hashes = ImmutableArray.CreateBuilder<Hash256>();
            byte[] branch = (byte[])reader[5];
            for (int at = 0; at + Hash256.Bytes <= branch.Length; at += Hash256.Bytes)
            {
                hashes.Add(new Hash256(branch.AsSpan(at, Hash256.Bytes)));
            }

            bool read = BlockHeader.TryRead((byte[])reader[0], out BlockHeader header) & Transaction.TryParse((byte[])reader[2], out Transaction? transaction) == TransactionReading.Read;
            var place = new MerkleBranch(reader.GetInt32(4), reader.GetInt32(3), hashes.ToImmutable());
            sightings.Add(read ? new ProvedTransaction(transaction!, header, (byte[])reader[1], place) : throw new InvalidDataException("A transaction in the file of sightings is damaged."));
        }

        return sightings;
    }

    /// <summary>Matched transactions of kinds this client does not read: somebody should look.</summary>
    public IReadOnlyList<Hash256> Unreadable()
    {
        using SqliteCommand command = _connection.Statement("SELECT txid FROM alarm ORDER BY txid");
        using SqliteDataReader reader = command.ExecuteReader();
        List<Hash256> ids = [];
        while (reader.Read())
        {
            ids.Add(new Hash256((byte[])reader[0]));
        }

        return ids;
    }

    public void Dispose() => _connection.Dispose();

    private void Add(ProvedTransaction sighting)
    {
        byte[] core = new byte[BlockHeader.Bytes];
        sighting.Header.CopyTo(core);
        byte[] branch = new byte[sighting.Branch.Hashes.Length * Hash256.Bytes];
        for (int i = 0; i < sighting.Branch.Hashes.Length; i++)
        {
            sighting.Branch.Hashes[i].CopyTo(branch.AsSpan(i * Hash256.Bytes));
        }

        _connection.Run(
            """
            INSERT OR IGNORE INTO sighting (txid, block, height, header, auxpow, raw, place, count, branch)
            VALUES ($id, $block, $height, $header, $auxpow, $raw, $place, $count, $branch)
            """,
            ("$id", sighting.Transaction.Id.ToArray()), ("$block", sighting.Header.Hash.ToArray()), ("$height", (long)sighting.Header.Height), ("$header", core),
            ("$auxpow", sighting.AuxPow.ToArray()), ("$raw", sighting.Transaction.Encode()), ("$place", (long)sighting.Branch.Index),
            ("$count", (long)sighting.Branch.TransactionCount), ("$branch", branch));
    }
}
