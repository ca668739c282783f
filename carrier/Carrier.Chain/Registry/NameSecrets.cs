using Carrier.Chain.Primitives;
using Carrier.Chain.Storage;
using Carrier.Core;
using Carrier.Core.Identity;
using Microsoft.Data.Sqlite;

namespace Carrier.Chain.Registry;

/// <summary>The salts behind commitments to names: without its salt a commitment can never be revealed, so it is on disk before the commitment leaves.</summary>
public sealed class NameSecrets : IDisposable
{
    private const int Version = 1;

    private const string Schema = """
        CREATE TABLE secret (owner BLOB NOT NULL, name TEXT NOT NULL, salt BLOB NOT NULL, made_at INTEGER NOT NULL, PRIMARY KEY (owner, name)) STRICT;
        """;

    private readonly SqliteConnection _connection;

    private NameSecrets(SqliteConnection connection) => _connection = connection;

    /// <exception cref="InvalidDataException">The file is damaged or of another version.</exception>
    public static NameSecrets Open(string path) => new(ChainDatabase.Open(path, Version, Schema));

    /// <summary>The salt for a name: the one kept, else a new one, which is on disk when this returns.</summary>
    public Hash256 GetOrMake(TrustId owner, string name, RandomSource random, UnixTime now)
    {
        ArgumentNullException.ThrowIfNull(random);
        Span<byte> bytes = stackalloc byte[Hash256.Bytes];
        random.Fill(bytes);
        _connection.Run(
            "INSERT INTO secret (owner, name, salt, made_at) VALUES ($owner, $name, $salt, $at) ON CONFLICT DO NOTHING",
            ("$owner", Bytes(owner)), ("$name", name), ("$salt", bytes.ToArray()), ("$at", now.Seconds));
        return TryGet(owner, name, out Hash256 salt) ? salt : throw new InvalidDataException("A secret was written and is not there.");
    }

    public bool TryGet(TrustId owner, string name, out Hash256 salt)
    {
        using SqliteCommand command = _connection.Statement("SELECT salt FROM secret WHERE owner = $owner AND name = $name", ("$owner", Bytes(owner)), ("$name", name));
        byte[]? bytes = command.ExecuteScalar() as byte[];
        salt = bytes is null ? default : new Hash256(bytes);
        return bytes is not null;
    }

    /// <summary>Every name with a secret, in ordinal order.</summary>
    public IReadOnlyList<string> Names(TrustId owner)
    {
        using SqliteCommand command = _connection.Statement("SELECT name FROM secret WHERE owner = $owner ORDER BY name", ("$owner", Bytes(owner)));
        using SqliteDataReader reader = command.ExecuteReader();
        List<string> names = [];
        while (reader.Read())
        {
            names.Add(reader.GetString(0));
        }

        return names;
    }

    /// <summary>Forgets a secret that was revealed or ran out.</summary>
    public void Remove(TrustId owner, string name) => _connection.Run("DELETE FROM secret WHERE owner = $owner AND name = $name", ("$owner", Bytes(owner)), ("$name", name));

    public void Dispose() => _connection.Dispose();

    private static byte[] Bytes(TrustId id)
    {
        byte[] bytes = new byte[TrustId.Bytes];
        id.CopyTo(bytes);
        return bytes;
    }
}
