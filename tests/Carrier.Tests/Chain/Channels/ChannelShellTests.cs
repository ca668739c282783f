using System.IO.Pipelines;
using Carrier.Chain.Channels;
using Carrier.Chain.Primitives;
using Carrier.Tests.Storage;
using static Carrier.Tests.Chain.Channels.ChannelFixture;

namespace Carrier.Tests.Chain.Channels;

/// <summary>What drives a channel's machine, over streams that break, are not read, or are replaced, and disks that are full.</summary>
public sealed class ChannelShellTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly Ends _ends = new(new PipeOptions(useSynchronizationContext: false));

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Peer_that_reads_nothing_does_not_keep_the_payee_from_closing()
    {
        var unread = new Ends(new PipeOptions(pauseWriterThreshold: 1, resumeWriterThreshold: 1, useSynchronizationContext: false));
        using ChannelStore store = ChannelStore.Open(_folder.File("channels.db"));
        using var payee = new PayeeChannel(OpenRecord(ChannelRole.Payee) with { Sequence = 1, Cumulative = new Sela(500), Voucher = Voucher(1, 500).Signature }, Payee, Policy);
        List<BroadcastKind> broadcast = [];
        using var shell = new ChannelShell(payee, store, effect => Note(effect, broadcast), TimeSpan.FromMilliseconds(1));
        Task reading = shell.RunAsync(unread.Ours, Cancel); // its hello already finds nobody reading
        await shell.TurnAsync(() => payee.Handle(Sight(Terms.LockHeight - 1)), Cancel);
        Assert.Equal([BroadcastKind.Close], broadcast);
        await Assert.ThrowsAsync<IOException>(() => reading);
        Assert.False(shell.IsConnected);
    }

    [Fact]
    public async Task New_stream_takes_over_from_one_that_hangs()
    {
        using ChannelStore store = ChannelStore.Open(_folder.File("channels.db"));
        using var payee = new PayeeChannel(OpenRecord(ChannelRole.Payee), Payee, Policy);
        using var shell = new ChannelShell(payee, store, static _ => default);
        Task old = shell.RunAsync(_ends.Ours, Cancel);
        var newer = new Ends(new PipeOptions(useSynchronizationContext: false));
        Task current = shell.RunAsync(newer.Ours, Cancel);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => old);
        await newer.WriteAsync(Voucher(1, 500));
        Assert.IsType<ResumeMessage>(await newer.ReadAsync());
        Assert.Equal(new Sela(500), Assert.IsType<AckMessage>(await newer.ReadAsync()).Cumulative);
        await newer.Theirs.Output.CompleteAsync();
        await current;
    }

    [Fact]
    public async Task Payment_whose_caller_gives_up_in_its_turn_is_sent_all_the_same()
    {
        using ChannelStore store = ChannelStore.Open(_folder.File("channels.db"));
        using var payer = new PayerChannel(OpenRecord(ChannelRole.Payer), Payer, new PayerPolicy { PrepaidWindow = Terms.Capacity });
        using var shell = new ChannelShell(payer, store, static _ => default);
        Task running = shell.RunAsync(_ends.Ours, Cancel);
        Assert.IsType<ResumeMessage>(await _ends.ReadAsync());
        using var caller = new CancellationTokenSource();
        Task turn = shell.TurnAsync(
            () =>
            {
                Assert.Equal(PaymentRefusal.None, payer.TryPay(new Sela(500)));
                caller.Cancel();
            },
            caller.Token);
        await turn;
        Assert.Equal(new Sela(500), Assert.IsType<VoucherMessage>(await _ends.ReadAsync()).Cumulative);
        await _ends.Theirs.Output.CompleteAsync();
        await running;
    }

    [Fact]
    public async Task Message_in_pieces_is_handled_once_it_is_whole_and_nonsense_ends_the_stream()
    {
        using ChannelStore store = ChannelStore.Open(_folder.File("channels.db"));
        using var payee = new PayeeChannel(OpenRecord(ChannelRole.Payee), Payee, Policy);
        using var shell = new ChannelShell(payee, store, static _ => default);
        Task running = shell.RunAsync(_ends.Ours, Cancel);
        byte[] frame = Frame(Voucher(1, 500));
        foreach (byte one in frame)
        {
            await _ends.Theirs.Output.WriteAsync(new[] { one }, Cancel);
        }

        Assert.IsType<ResumeMessage>(await _ends.ReadAsync());
        Assert.IsType<AckMessage>(await _ends.ReadAsync());
        await _ends.Theirs.Output.WriteAsync(new byte[] { 0xff, 0xff, 0xff, 0xff }, Cancel);
        await Assert.ThrowsAsync<InvalidDataException>(() => running);
        Assert.False(shell.HasFailed); // the stream's end, not the channel's
    }

    [Fact]
    public async Task Voucher_the_full_disk_does_not_take_is_not_acknowledged_and_the_one_before_is_kept()
    {
        string file = _folder.File("channels.db");
        using (ChannelStore store = ChannelStore.Open(file))
        {
            store.Write(OpenRecord(ChannelRole.Payee) with { Sequence = 1, Cumulative = new Sela(500), Voucher = Voucher(1, 500).Signature });
        }

        Run(file, "CREATE TRIGGER no_room BEFORE INSERT ON channel BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END;");
        using (ChannelStore store = ChannelStore.Open(file))
        using (var payee = new PayeeChannel(Assert.Single(store.ReadAll()), Payee, Policy))
        using (var shell = new ChannelShell(payee, store, static _ => default))
        {
            Task running = shell.RunAsync(_ends.Ours, Cancel);
            await _ends.WriteAsync(Voucher(2, 900));
            await Assert.ThrowsAsync<IOException>(() => running);
            Assert.Equal(new Sela(500), Assert.IsType<ResumeMessage>(await _ends.ReadAsync()).Cumulative);
            await _ends.Ours.Output.CompleteAsync();
            Assert.Null(await _ends.ReadAsync());
            Assert.True(shell.HasFailed);
            await Assert.ThrowsAsync<IOException>(() => shell.TurnAsync(static () => { }, Cancel)); // room may be back: not before a restart
        }

        Run(file, "DROP TRIGGER no_room;");
        using ChannelStore again = ChannelStore.Open(file);
        Assert.Equal(new Sela(500), Assert.Single(again.ReadAll()).Cumulative);
    }

    private static void Run(string file, string sql)
    {
        using Microsoft.Data.Sqlite.SqliteConnection connection = new($"Data Source={file};Pooling=False");
        connection.Open();
        using Microsoft.Data.Sqlite.SqliteCommand command = connection.CreateCommand();
#pragma warning disable CA2100 // A constant of this class.
        command.CommandText = sql;
#pragma warning restore CA2100
        _ = command.ExecuteNonQuery();
    }

    private static ValueTask Note(ChannelEffect effect, List<BroadcastKind> broadcast)
    {
        if (effect is BroadcastEffect { Kind: var kind })
        {
            broadcast.Add(kind);
        }

        return ValueTask.CompletedTask;
    }

    private static byte[] Frame(ChannelMessage message)
    {
        byte[] frame = new byte[ChannelCodec.LengthBytes + ChannelLimits.MaxMessageBytes];
        return frame[..ChannelCodec.WriteFramed(message, frame)];
    }

    /// <summary>Both ends of a stream.</summary>
    private sealed class Ends
    {
        public Ends(PipeOptions options)
        {
            var there = new Pipe(options);
            var back = new Pipe(options);
            Ours = new End(there.Reader, back.Writer);
            Theirs = new End(back.Reader, there.Writer);
        }

        public End Ours { get; }

        public End Theirs { get; }

        public async Task WriteAsync(ChannelMessage message) => await Theirs.Output.WriteAsync(Frame(message), Cancel);

        /// <summary>The next message; null at the end.</summary>
        public Task<ChannelMessage?> ReadAsync() => Theirs.Input.ReadMessageAsync(Cancel);
    }

    private sealed record End(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
