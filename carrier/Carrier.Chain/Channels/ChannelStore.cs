using System.Globalization;
using Carrier.Chain.Primitives;
using Carrier.Chain.Storage;
using Carrier.Core.Identity;
using Microsoft.Data.Sqlite;

namespace Carrier.Chain.Channels;

/// <summary>The channels of one home in SQLite. A record returned from is flushed: WAL with <c>synchronous=FULL</c>.</summary>
/// <remarks>
/// One row a channel; a voucher replaces the one before it, which is worth nothing any more. A failed write is final: nothing may be sent or acknowledged
/// afterwards, the store is closed, and a restart begins from what the file holds. Any thread may write. There is no key in here and nothing secret.
/// </remarks>
public sealed class ChannelStore : IDisposable
{
    private const int SchemaVersion = 2;

    private const string Schema =
        """
        CREATE TABLE channel (
            id BLOB PRIMARY KEY,
            role INTEGER NOT NULL,
            state INTEGER NOT NULL,
            payer BLOB NOT NULL,
            payee BLOB NOT NULL,
            deposit INTEGER NOT NULL,
            fee INTEGER NOT NULL,
            lock_height INTEGER NOT NULL,
            funding BLOB NOT NULL,
            gate BLOB NOT NULL,
            refund BLOB NOT NULL,
            sequence INTEGER NOT NULL,
            cumulative INTEGER NOT NULL,
            voucher BLOB NOT NULL,
            co_signed BLOB NOT NULL,
            delivered INTEGER NOT NULL,
            acknowledged INTEGER NOT NULL,
            restored INTEGER NOT NULL,
            window INTEGER NOT NULL
        ) WITHOUT ROWID;
        """;

    private const string Columns =
        "id, role, state, payer, payee, deposit, fee, lock_height, funding, gate, refund, sequence, cumulative, voucher, co_signed, delivered, acknowledged, restored, window";

    private readonly SqliteConnection _connection;
    private readonly SqliteCommand _write;
    private readonly Lock _gate = new();
    private bool _hasFailed;

    private ChannelStore(SqliteConnection connection)
    {
        _connection = connection;
        _write = connection.CreateCommand();
        string names = string.Join(", ", Columns.Split(", ").Select(column => "$" + column));
#pragma warning disable CA2100 // Made of constants.
        _write.CommandText = $"INSERT OR REPLACE INTO channel ({Columns}) VALUES ({names});";
#pragma warning restore CA2100
        foreach (string column in Columns.Split(", "))
        {
            _ = _write.Parameters.Add(new SqliteParameter("$" + column, null));
        }

        _write.Prepare();
    }

    /// <summary>Opens or makes the file.</summary>
    /// <exception cref="InvalidDataException">The file is damaged, or of another version.</exception>
    public static ChannelStore Open(string path) => new(ChainDatabase.Open(path, SchemaVersion, Schema));

    /// <summary>Writes one record; when it returns, the record is on disk.</summary>
    /// <exception cref="IOException">It is not. The store takes nothing more.</exception>
    public void Write(ChannelRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        lock (_gate)
        {
            if (_hasFailed)
            {
                throw new IOException("An earlier write of the channel store failed; it has to be opened again.");
            }

            try
            {
                Bind(record);
                _ = _write.ExecuteNonQuery();
            }
            catch (SqliteException e)
            {
                // The kernel may have dropped the pages, and a second try would report success.
                _hasFailed = true;
                throw new IOException("The channel store could not write.", e);
            }
        }
    }

    /// <summary>Takes a channel out that is worth nothing.</summary>
    /// <exception cref="IOException">It could not be written.</exception>
    public void Forget(Hash256 channel)
    {
        using Lock.Scope scope = _gate.EnterScope();
        using SqliteCommand command = _connection.CreateCommand();
        command.CommandText = "DELETE FROM channel WHERE id = $id;";
        _ = command.Parameters.AddWithValue("$id", channel.ToArray());
        try
        {
            _ = command.ExecuteNonQuery();
        }
        catch (SqliteException e)
        {
            throw new IOException("The channel store could not write.", e);
        }
    }

    /// <summary>All channels, the ones that are over too.</summary>
    /// <exception cref="InvalidDataException">A row is no channel.</exception>
    public IReadOnlyList<ChannelRecord> ReadAll()
    {
        using Lock.Scope scope = _gate.EnterScope();
        using SqliteCommand command = _connection.CreateCommand();
#pragma warning disable CA2100 // Made of constants.
        command.CommandText = $"SELECT {Columns} FROM channel;";
#pragma warning restore CA2100
        using SqliteDataReader reader = command.ExecuteReader();
        var records = new List<ChannelRecord>();
        while (reader.Read())
        {
            records.Add(Read(reader));
        }

        return records;
    }

    public void Dispose()
    {
        _write.Dispose();
        _connection.Dispose();
    }

    private static ChannelRecord Read(SqliteDataReader reader)
    {
        if (!OwnerPublicKey.TryFromBytes((byte[])reader[3], out OwnerPublicKey payer)
            || !OwnerPublicKey.TryFromBytes((byte[])reader[4], out OwnerPublicKey payee)
            || !Enum.IsDefined((ChannelRole)reader.GetInt32(1)) || !Enum.IsDefined((ChannelState)reader.GetInt32(2)))
        {
            throw new InvalidDataException("A channel in the store cannot be read.");
        }

        return new ChannelRecord
        {
            Channel = new Hash256((byte[])reader[0]),
            Role = (ChannelRole)reader.GetInt32(1),
            State = (ChannelState)reader.GetInt32(2),
            Terms = new ChannelTerms(payer, payee, Amount(reader, 5), Amount(reader, 6), checked((uint)reader.GetInt64(7))),
            Funding = (byte[])reader[8],
            Gate = new ChannelSignature((byte[])reader[9]),
            Refund = new ChannelSignature((byte[])reader[10]),
            Sequence = unchecked((ulong)reader.GetInt64(11)),
            Cumulative = Amount(reader, 12),
            Voucher = new ChannelSignature((byte[])reader[13]),
            CoSigned = new ChannelSignature((byte[])reader[14]),
            Delivered = Amount(reader, 15),
            Acknowledged = Amount(reader, 16),
            IsRestored = reader.GetBoolean(17),
            Window = Amount(reader, 18),
        };
    }

    private static Sela Amount(SqliteDataReader reader, int column) =>
        Sela.TryFrom(reader.GetInt64(column), out Sela amount)
            ? amount
            : throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"Column {column} of a channel in the store is no amount."));

    private void Bind(ChannelRecord record)
    {
        SqliteParameterCollection values = _write.Parameters;
        values[0].Value = record.Channel.ToArray();
        values[1].Value = (int)record.Role;
        values[2].Value = (int)record.State;
        values[3].Value = record.Terms.Payer.Span.ToArray();
        values[4].Value = record.Terms.Payee.Span.ToArray();
        values[5].Value = record.Terms.Deposit.Value;
        values[6].Value = record.Terms.Fee.Value;
        values[7].Value = (long)record.Terms.LockHeight;
        values[8].Value = record.Funding.ToArray();
        values[9].Value = record.Gate.Span.ToArray();
        values[10].Value = record.Refund.Span.ToArray();
        values[11].Value = unchecked((long)record.Sequence);
        values[12].Value = record.Cumulative.Value;
        values[13].Value = record.Voucher.Span.ToArray();
        values[14].Value = record.CoSigned.Span.ToArray();
        values[15].Value = record.Delivered.Value;
        values[16].Value = record.Acknowledged.Value;
        values[17].Value = record.IsRestored;
        values[18].Value = record.Window.Value;
    }
}
