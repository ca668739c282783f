using Carrier.Chain.Channels;
using Carrier.Chain.Primitives;
using Carrier.Tests.Storage;
using static Carrier.Tests.Chain.Channels.ChannelFixture;

namespace Carrier.Tests.Chain.Channels;

public class ChannelStoreTests
{
    /// <summary>Made once: the signer's nonces are its own.</summary>
    private static readonly ChannelSignature[] Signatures = [.. Enumerable.Range(0, 20).Select(number => number == 0 ? default : Voucher((ulong)number, 100 * number).Signature)];

    [Fact]
    public void Write_record_reads_back_whole_and_the_newest_replaces_it()
    {
        using var folder = new TemporaryFolder();
        ChannelRecord record = OpenRecord(ChannelRole.Payer) with
        {
            Sequence = ulong.MaxValue,
            Cumulative = new Sela(77),
            Voucher = Voucher(1, 77).Signature,
            CoSigned = Sign(Payee, Transactions.Close(new Sela(77))),
            Delivered = new Sela(5),
            Acknowledged = new Sela(6),
            IsRestored = true,
            Window = new Sela(7),
        };
        using (ChannelStore store = ChannelStore.Open(folder.File("channels.db")))
        {
            store.Write(OpenRecord(ChannelRole.Payer));
            store.Write(record);
        }

        using ChannelStore again = ChannelStore.Open(folder.File("channels.db"));
        ChannelRecord read = Assert.Single(again.ReadAll());
        Assert.True(record.Funding.Span.SequenceEqual(read.Funding.Span));
        Assert.Equal(record with { Funding = default }, read with { Funding = default });
    }

    [Fact]
    public void Write_after_a_failed_one_is_refused()
    {
        using var folder = new TemporaryFolder();
        ChannelStore store = ChannelStore.Open(folder.File("channels.db"));
        store.Write(OpenRecord(ChannelRole.Payer));
        // The table is gone under it, as a disk that answers with an error.
        using (Microsoft.Data.Sqlite.SqliteConnection other = new($"Data Source={folder.File("channels.db")};Pooling=False"))
        {
            other.Open();
            using Microsoft.Data.Sqlite.SqliteCommand drop = other.CreateCommand();
            drop.CommandText = "ALTER TABLE channel RENAME TO gone;";
            _ = drop.ExecuteNonQuery();
        }

        Assert.Throws<IOException>(() => store.Write(OpenRecord(ChannelRole.Payer)));
        using (Microsoft.Data.Sqlite.SqliteConnection other = new($"Data Source={folder.File("channels.db")};Pooling=False"))
        {
            other.Open();
            using Microsoft.Data.Sqlite.SqliteCommand mend = other.CreateCommand();
            mend.CommandText = "ALTER TABLE gone RENAME TO channel;";
            _ = mend.ExecuteNonQuery();
        }

        Assert.Throws<IOException>(() => store.Write(OpenRecord(ChannelRole.Payer))); // never tried again
        store.Dispose();
    }

    [Fact]
    public void Open_with_a_torn_log_gives_a_record_that_was_written_and_the_more_of_the_log_the_newer()
    {
        const int Writes = 12;
        const int Cuts = 150;
        using var folder = new TemporaryFolder();
        string torn = folder.File("torn.db");
        using ChannelStore store = ChannelStore.Open(folder.File("channels.db"));
        store.Write(Written(0));
        byte[] log = [];
        for (int i = 1; i <= Writes; i++)
        {
            store.Write(Written(i));
            log = ReadShared(folder.File("channels.db-wal"));
        }

        byte[] main = ReadShared(folder.File("channels.db"));
        long highest = -1;
        for (int cut = 0; cut <= Cuts; cut++)
        {
            long read = Open(log.AsSpan(0, log.Length * cut / Cuts));
            Assert.True(read >= highest, $"{read} after {highest}");
            highest = read;
        }

        Assert.Equal(Writes, highest);
        for (int flip = 0; flip < Cuts; flip++)
        {
            byte[] flipped = [.. log];
            flipped[log.Length * flip / Cuts] ^= 0x10;
            Assert.InRange(Open(flipped), -1, Writes); // a checksum that does not hold ends the log there
        }

        long Open(ReadOnlySpan<byte> wal)
        {
            File.Delete(torn + "-shm");
            File.WriteAllBytes(torn, main);
            File.WriteAllBytes(torn + "-wal", wal);
            using ChannelStore opened = ChannelStore.Open(torn);
            if (opened.ReadAll() is not [var record])
            {
                return -1; // not even the first write is whole
            }

            int written = (int)record.Sequence;
            Assert.Equal(Written(written) with { Funding = default }, record with { Funding = default });
            return written;
        }
    }

    private static ChannelRecord Written(int number) => OpenRecord(ChannelRole.Payee) with
    {
        Sequence = (ulong)number,
        Cumulative = new Sela(100 * number),
        Voucher = Signatures[number],
        Gate = default,
        Refund = default,
    };

    private static byte[] ReadShared(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        byte[] bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        return bytes;
    }
}
