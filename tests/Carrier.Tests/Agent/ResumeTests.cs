using Carrier.Agent.Transfer;

namespace Carrier.Tests.Agent;

/// <summary>Transfers that break and go on.</summary>
public sealed class ResumeTests : IDisposable
{
    private const int Length = 12_000_000;

    private readonly TransferRig _rig = new();

    public void Dispose() => _rig.Dispose();

    [Fact]
    public async Task Resume_sends_no_byte_the_receiver_had()
    {
        byte[] contents = TransferRig.RandomBytes(1, Length);
        FileSource source = TransferRig.Scan(_rig.SourceFile("a", contents));
        (SendOutcome first, _) = await BreakAfterAsync(source, Length / 2);
        Assert.Equal(FailureReason.Interrupted, first.Failure);
        long kept = new FileInfo(Directory.EnumerateFiles(_rig.Staging, "0.part", SearchOption.AllDirectories).Single()).Length;
        Assert.InRange(kept, 1, Length - 1);

        (SendOutcome second, ReceiveOutcome received) = await _rig.SendAsync(source, new DuplexPair());

        Assert.True(second.IsDone);
        Assert.Equal(kept, second.BytesResumed);
        Assert.Equal(Length - kept, second.BytesSent);
        Assert.Equal(Length - kept, received.BytesReceived);
        Assert.Equal(contents, _rig.Arrived("a"));
    }

    [Fact]
    public async Task Resume_of_a_folder_skips_the_files_that_are_whole()
    {
        for (int i = 0; i < 6; i++)
        {
            _rig.SourceFile($"tree/{i}", TransferRig.RandomBytes(i, Length / 6));
        }

        FileSource source = TransferRig.Scan(Path.Combine(_rig.Source, "tree"));
        (SendOutcome first, _) = await BreakAfterAsync(source, Length / 2);
        Assert.False(first.IsDone);
        int whole = Directory.EnumerateFiles(_rig.Staging, "*.whole", SearchOption.AllDirectories).Count();
        Assert.InRange(whole, 1, 5);

        (SendOutcome second, _) = await _rig.SendAsync(source, new DuplexPair());

        Assert.True(second.IsDone);
        Assert.InRange(second.BytesResumed, whole * (Length / 6), Length);
        Assert.Equal(Length, second.BytesSent + second.BytesResumed);
        Assert.All(second.Digests, Assert.NotNull);
        for (int i = 0; i < 6; i++)
        {
            Assert.Equal(TransferRig.RandomBytes(i, Length / 6), _rig.Arrived(Path.Combine("tree", $"{i}")));
        }
    }

    [Fact]
    public async Task Resume_after_the_source_changed_starts_anew()
    {
        string path = _rig.SourceFile("a", TransferRig.RandomBytes(1, Length));
        await BreakAfterAsync(TransferRig.Scan(path), Length / 2);
        byte[] changed = TransferRig.RandomBytes(2, Length);
        File.WriteAllBytes(path, changed);
        File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddMinutes(1));

        (SendOutcome second, _) = await _rig.SendAsync(TransferRig.Scan(path), new DuplexPair());

        Assert.True(second.IsDone);
        Assert.Equal(0, second.BytesResumed);
        Assert.Equal(changed, _rig.Arrived("a"));
    }

    [Fact]
    public async Task Resume_over_a_damaged_prefix_restarts_the_entry_once()
    {
        byte[] contents = TransferRig.RandomBytes(1, Length);
        FileSource source = TransferRig.Scan(_rig.SourceFile("a", contents));
        await BreakAfterAsync(source, Length / 2);
        string part = Directory.EnumerateFiles(_rig.Staging, "0.part", SearchOption.AllDirectories).Single();
        using (FileStream stream = File.OpenWrite(part))
        {
            stream.Write(new byte[100]);
        }

        (SendOutcome second, _) = await _rig.SendAsync(source, new DuplexPair());

        Assert.True(second.IsDone);
        Assert.True(second.BytesSent > Length);
        Assert.Equal(contents, _rig.Arrived("a"));
    }

    [Fact]
    public async Task A_crash_between_verified_and_installed_sends_nothing_again()
    {
        byte[] contents = TransferRig.RandomBytes(1, 1000);
        FileSource source = TransferRig.Scan(_rig.SourceFile("a", contents));
        // What a receiver that was killed after the verdict leaves, by hand.
        using StagingFolder staging = StagingFolder.Open(_rig.Destination, TransferId.Of(TransferRig.Sender, source.Offer.Encode()), DateTime.UtcNow);
        File.WriteAllBytes(staging.PartPath(0), contents);
        staging.MarkWhole(0);

        (SendOutcome sent, _) = await _rig.SendAsync(source, new DuplexPair());

        Assert.True(sent.IsDone);
        Assert.Equal(0, sent.BytesSent);
        Assert.NotNull(sent.Digests[0]);
        Assert.Equal(contents, _rig.Arrived("a"));
    }

    [Fact]
    public async Task A_sender_that_comes_back_takes_over_from_its_dead_session()
    {
        FileSource source = TransferRig.Scan(_rig.SourceFile("a", TransferRig.RandomBytes(1, Length)));
        var dead = new DuplexPair();
        Task<ReceiveOutcome> former = _rig.Receiver.RunAsync(dead.Right, TransferRig.Sender, TestContext.Current.CancellationToken);
        await new TransferPipe(dead.Left).WriteAsync(source.Offer.Encode(), TestContext.Current.CancellationToken);
        await dead.Left.Input.ReadAsync(TestContext.Current.CancellationToken); // accepted; and now silence

        (SendOutcome sent, _) = await _rig.SendAsync(source, new DuplexPair());

        Assert.True(sent.IsDone);
        Assert.Equal(FailureReason.Superseded, (await former).Failure);
    }

    [Fact]
    public void Open_keeps_no_more_transfers_than_the_bound()
    {
        for (int i = 0; i < TransferLimits.MaxPartialTransfers + 5; i++)
        {
            StagingFolder.Open(_rig.Destination, TransferId.Of(TransferRig.Sender, [(byte)i]), DateTime.UtcNow.AddSeconds(i)).Dispose();
        }

        Assert.Equal(TransferLimits.MaxPartialTransfers, Directory.EnumerateDirectories(_rig.Staging).Count());
        StagingFolder.Open(_rig.Destination, TransferId.Of(TransferRig.Sender, [200]), DateTime.UtcNow + TransferLimits.PartialLifetime + TimeSpan.FromHours(1)).Dispose();
        Assert.Single(Directory.EnumerateDirectories(_rig.Staging));
    }

    private async Task<(SendOutcome Sent, ReceiveOutcome Received)> BreakAfterAsync(TransferSource source, long bytes)
    {
        var pair = new DuplexPair();
        _rig.Receiver = _rig.NewReceiver(progress: progress =>
        {
            if (progress.DoneBytes >= bytes)
            {
                // The receiver's end goes: what it would read and write next fails.
                pair.Right.Output.Complete(new IOException("The session died."));
                throw new TransferException(FailureReason.Interrupted);
            }
        });
        (SendOutcome, ReceiveOutcome) outcome = await _rig.SendAsync(source, pair);
        _rig.Receiver = _rig.NewReceiver();
        return outcome;
    }
}
