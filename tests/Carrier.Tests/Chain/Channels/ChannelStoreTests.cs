using Carrier.Chain.Channels;
using Carrier.Chain.Primitives;
using Carrier.Tests.Storage;
using static Carrier.Tests.Chain.Channels.ChannelFixture;

namespace Carrier.Tests.Chain.Channels;

public class ChannelStoreTests
{
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
}
