using Carrier.Chain.Primitives;
using Carrier.Chain.Storage;
using Carrier.Chain.Transactions;
using Microsoft.Data.Sqlite;

namespace Carrier.Chain.Wallet;

/// <summary>What the wallet must not forget: every transaction it ever meant to send, on disk before it left, and every payment it saw proved.</summary>
public sealed class WalletStore : IDisposable
{
    private const int Version = 1;

    private const string Schema = """
        CREATE TABLE sent (txid BLOB PRIMARY KEY, raw BLOB NOT NULL, made_at INTEGER NOT NULL, amount INTEGER NOT NULL, fee INTEGER NOT NULL,
            recipient TEXT NOT NULL, note TEXT NOT NULL, height INTEGER, block BLOB, given_up INTEGER NOT NULL DEFAULT 0) STRICT;
        CREATE TABLE received (txid BLOB NOT NULL, vout INTEGER NOT NULL, amount INTEGER NOT NULL, height INTEGER NOT NULL, PRIMARY KEY (txid, vout)) STRICT;
        """;

    private readonly SqliteConnection _connection;

    private WalletStore(SqliteConnection connection) => _connection = connection;

    /// <exception cref="InvalidDataException">The file is damaged or of another version.</exception>
    public static WalletStore Open(string path) => new(ChainDatabase.Open(path, Version, Schema));

    /// <summary>Notes the intent to send. When this returns it is on disk, and only then may the transaction leave.</summary>
    public void AddIntent(Transaction transaction, Core.UnixTime now, Sela amount, Sela fee, string recipient, string note)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        _connection.Run(
            "INSERT OR IGNORE INTO sent (txid, raw, made_at, amount, fee, recipient, note) VALUES ($id, $raw, $at, $amount, $fee, $to, $note)",
            ("$id", transaction.Id.ToArray()), ("$raw", transaction.Encode()), ("$at", now.Seconds), ("$amount", amount.Value), ("$fee", fee.Value),
            ("$to", recipient), ("$note", note));
    }

    /// <summary>Says in which block a sent transaction is, or (null) that it is in none, as after a reorganisation.</summary>
    public void SetMined(Hash256 id, uint? height, Hash256 block) => _connection.Run(
        "UPDATE sent SET height = $height, block = $block WHERE txid = $id",
        ("$id", id.ToArray()), ("$height", height is { } mined ? (long)mined : DBNull.Value), ("$block", height is null ? DBNull.Value : block.ToArray()));

    /// <summary>Frees the coins of a transaction that can never be mined, because another one that spends them was.</summary>
    public void GiveUp(Hash256 id) => _connection.Run("UPDATE sent SET given_up = 1 WHERE txid = $id", ("$id", id.ToArray()));

    /// <summary>Notes a payment to this wallet.</summary>
    public void AddReceived(OutPoint point, Sela amount, uint height) => _connection.Run(
        "INSERT INTO received (txid, vout, amount, height) VALUES ($id, $vout, $amount, $height) ON CONFLICT DO UPDATE SET height = excluded.height",
        ("$id", point.TransactionId.ToArray()), ("$vout", (long)point.Index), ("$amount", amount.Value), ("$height", (long)height));

    /// <summary>Every transaction this wallet sent, the oldest first.</summary>
    /// <exception cref="InvalidDataException">A row cannot be read.</exception>
    public IReadOnlyList<SentTransaction> Sent()
    {
        using SqliteCommand command = _connection.Statement("SELECT raw, made_at, amount, fee, recipient, note, height, block, given_up FROM sent ORDER BY made_at, rowid");
        using SqliteDataReader reader = command.ExecuteReader();
        List<SentTransaction> sent = [];
        while (reader.Read())
        {
            if (Transaction.TryParse((byte[])reader[0], out Transaction? transaction) != TransactionReading.Read)
            {
                throw new InvalidDataException("A transaction in the wallet's file is damaged.");
            }

            sent.Add(new SentTransaction(
                transaction!, new Core.UnixTime(reader.GetInt64(1)), new Sela(reader.GetInt64(2)), new Sela(reader.GetInt64(3)), reader.GetString(4), reader.GetString(5),
                reader.IsDBNull(6) ? null : checked((uint)reader.GetInt64(6)), reader.IsDBNull(7) ? default : new Hash256((byte[])reader[7]), reader.GetInt64(8) != 0));
        }

        return sent;
    }

    /// <summary>Every payment this wallet saw proved.</summary>
    public IReadOnlyList<(OutPoint OutPoint, Sela Amount, uint Height)> Received()
    {
        using SqliteCommand command = _connection.Statement("SELECT txid, vout, amount, height FROM received ORDER BY height, txid, vout");
        using SqliteDataReader reader = command.ExecuteReader();
        List<(OutPoint, Sela, uint)> received = [];
        while (reader.Read())
        {
            received.Add((new OutPoint(new Hash256((byte[])reader[0]), checked((ushort)reader.GetInt64(1))), new Sela(reader.GetInt64(2)), checked((uint)reader.GetInt64(3))));
        }

        return received;
    }

    public void Dispose() => _connection.Dispose();
}

/// <summary>A transaction this wallet sent.</summary>
/// <param name="Height">The block it was proved to be in; null while it waits.</param>
/// <param name="GivenUp">Another transaction that spends its coins was mined.</param>
public sealed record SentTransaction(
    Transaction Transaction, Core.UnixTime MadeAt, Sela Amount, Sela Fee, string Recipient, string Note, uint? Height, Hash256 Block, bool GivenUp)
{
    /// <summary>Neither mined nor given up: it still holds its coins.</summary>
    public bool IsPending => Height is null && !GivenUp;
}
