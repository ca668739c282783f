using Microsoft.Data.Sqlite;

namespace Carrier.Chain.Storage;

/// <summary>Opens SQLite files as everything that holds money must be kept: WAL, <c>synchronous=FULL</c>, checked for damage, mode 0600 in a private folder.</summary>
public static class ChainDatabase
{
    /// <summary>Opens or creates <paramref name="path"/>. What a committed transaction wrote survives the machine's stop.</summary>
    /// <exception cref="InvalidDataException">The file is damaged or of another version.</exception>
    public static SqliteConnection Open(string path, int version, string schema)
    {
        bool existed = File.Exists(path);
        if (!existed && !OperatingSystem.IsWindows())
        {
            using FileStream created = new(path, new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            });
        }

        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString());
        try
        {
            connection.Open();
            Execute(connection, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA busy_timeout=5000;");
            if (existed)
            {
                CheckIntegrity(connection, path);
            }

            long found = Scalar(connection, "PRAGMA user_version;");
            if (found == 0)
            {
                Execute(connection, $"BEGIN IMMEDIATE; {schema} PRAGMA user_version={version}; COMMIT;");
            }
            else if (found != version)
            {
                throw new InvalidDataException($"'{path}' has version {found}; this program reads {version}.");
            }

            return connection;
        }
        catch (SqliteException e) when (e.SqliteErrorCode is 11 or 26) // SQLITE_CORRUPT, SQLITE_NOTADB
        {
            connection.Dispose();
            throw new InvalidDataException($"'{path}' is damaged.", e);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>A statement with its parameters; the caller disposes it.</summary>
    internal static SqliteCommand Statement(this SqliteConnection connection, string sql, params ReadOnlySpan<(string Name, object Value)> parameters)
    {
        SqliteCommand command = connection.CreateCommand();
#pragma warning disable CA2100 // Every text is a constant of this assembly.
        command.CommandText = sql;
#pragma warning restore CA2100
        foreach ((string name, object value) in parameters)
        {
            _ = command.Parameters.AddWithValue(name, value is uint number ? (long)number : value);
        }

        return command;
    }

    /// <summary>Runs a statement that changes rows.</summary>
    internal static void Run(this SqliteConnection connection, string sql, params ReadOnlySpan<(string Name, object Value)> parameters)
    {
        using SqliteCommand command = connection.Statement(sql, parameters);
        _ = command.ExecuteNonQuery();
    }

    internal static void Execute(SqliteConnection connection, string sql)
    {
        using SqliteCommand command = connection.Statement(sql);
        _ = command.ExecuteNonQuery();
    }

    internal static long Scalar(SqliteConnection connection, string sql)
    {
        using SqliteCommand command = connection.Statement(sql);
        return Convert.ToInt64(command.ExecuteScalar() ?? 0L, System.Globalization.CultureInfo.InvariantCulture);
    }

    private static void CheckIntegrity(SqliteConnection connection, string path)
    {
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = "PRAGMA quick_check(1);";
        if (command.ExecuteScalar() is not "ok")
        {
            throw new InvalidDataException($"'{path}' is damaged.");
        }
    }
}
