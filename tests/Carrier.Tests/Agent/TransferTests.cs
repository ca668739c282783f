using System.Security.Cryptography;
using Carrier.Agent.Transfer;

namespace Carrier.Tests.Agent;

/// <summary>Files, folders and streams from one end of a stream to the other.</summary>
public sealed class TransferTests : IDisposable
{
    private readonly TransferRig _rig = new();

    public void Dispose() => _rig.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(TransferLimits.ChunkBytes)]
    [InlineData((3 * TransferLimits.MaxChunkBytes) + 17)]
    public async Task Send_file_arrives_whole(int length)
    {
        byte[] contents = TransferRig.RandomBytes(length, length);
        (SendOutcome sent, ReceiveOutcome received) = await _rig.SendAsync(_rig.SourceFile("a.bin", contents));

        Assert.True(sent.IsDone);
        Assert.Equal(SHA256.HashData(contents), sent.Digests[0]);
        Assert.Equal(SHA256.HashData(contents), received.Sha256);
        Assert.Equal(Path.Combine(_rig.Destination, "a.bin"), received.InstalledAt);
        Assert.Equal(contents, _rig.Arrived("a.bin"));
        Assert.Equal(length, sent.BytesSent);
        Assert.False(Directory.Exists(_rig.Staging));
    }

    [Fact]
    public async Task Send_folder_arrives_with_empty_folders_modes_and_times()
    {
        byte[] contents = TransferRig.RandomBytes(1, 1000);
        string script = _rig.SourceFile("tree/bin/run.sh", contents);
        _rig.SourceFile("tree/notes.txt", []);
        Directory.CreateDirectory(Path.Combine(_rig.Source, "tree", "empty"));
        var modified = new DateTime(2020, 2, 3, 4, 5, 6, DateTimeKind.Utc);
        File.SetLastWriteTimeUtc(script, modified);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.SetUser);
        }

        (SendOutcome sent, ReceiveOutcome received) = await _rig.SendAsync(Path.Combine(_rig.Source, "tree"));

        Assert.True(sent.IsDone);
        Assert.Null(received.Sha256);
        string arrived = Path.Combine(_rig.Destination, "tree");
        Assert.Equal(arrived, received.InstalledAt);
        Assert.Equal(contents, File.ReadAllBytes(Path.Combine(arrived, "bin", "run.sh")));
        Assert.Equal(modified, File.GetLastWriteTimeUtc(Path.Combine(arrived, "bin", "run.sh")));
        Assert.True(Directory.Exists(Path.Combine(arrived, "empty")));
        Assert.Empty(File.ReadAllBytes(Path.Combine(arrived, "notes.txt")));
        if (!OperatingSystem.IsWindows())
        {
            UnixFileMode mode = File.GetUnixFileMode(Path.Combine(arrived, "bin", "run.sh"));
            Assert.True(mode.HasFlag(UnixFileMode.UserExecute));
            Assert.False(mode.HasFlag(UnixFileMode.SetUser));
            Assert.False(File.GetUnixFileMode(Path.Combine(arrived, "notes.txt")).HasFlag(UnixFileMode.UserExecute));
        }
    }

    [Fact]
    public async Task Send_stream_of_unknown_size_arrives()
    {
        byte[] contents = TransferRig.RandomBytes(2, 700_000);
        Assert.True(StreamSource.TryCreate("stdin", new MemoryStream(contents), DateTimeOffset.UtcNow, out StreamSource? source));
        (SendOutcome sent, _) = await _rig.SendAsync(source!, new DuplexPair());

        Assert.True(sent.IsDone);
        Assert.Equal(contents, _rig.Arrived("stdin"));
    }

    [Fact]
    public async Task Send_never_replaces_what_is_there()
    {
        File.WriteAllText(Path.Combine(_rig.Destination, "a.tar.gz"), "mine");
        await _rig.SendAsync(_rig.SourceFile("a.tar.gz", [1]));
        await _rig.SendAsync(_rig.SourceFile("a.tar.gz", [2, 2]));

        Assert.Equal("mine"u8.ToArray(), _rig.Arrived("a.tar.gz"));
        Assert.Equal([1], _rig.Arrived("a.tar (2).gz"));
        Assert.Equal([2, 2], _rig.Arrived("a.tar (3).gz"));
    }

    [Fact]
    public async Task Send_to_a_name_that_is_a_link_leaves_the_link_alone()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("Creating links needs a privilege on Windows.");
        }

        string outside = Path.Combine(_rig.Source, "outside");
        File.CreateSymbolicLink(Path.Combine(_rig.Destination, "a"), outside);
        await _rig.SendAsync(_rig.SourceFile("a", [7]));

        Assert.False(File.Exists(outside));
        Assert.Equal([7], _rig.Arrived("a (2)"));
    }

    [Fact]
    public async Task Receive_where_the_staging_folder_is_a_link_fails_and_writes_nothing_through_it()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("Creating links needs a privilege on Windows.");
        }

        string elsewhere = Directory.CreateDirectory(Path.Combine(_rig.Source, "elsewhere")).FullName;
        Directory.CreateSymbolicLink(_rig.Staging, elsewhere);
        (SendOutcome sent, _) = await _rig.SendAsync(_rig.SourceFile("a", [7]));

        Assert.Equal(FailureReason.DiskError, sent.Failure);
        Assert.Empty(Directory.EnumerateFileSystemEntries(elsewhere));
    }

    [Fact]
    public async Task Send_folder_does_not_follow_links()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("Creating links needs a privilege on Windows.");
        }

        string secret = _rig.SourceFile("secret", [9]);
        _rig.SourceFile("tree/plain", [1]);
        File.CreateSymbolicLink(Path.Combine(_rig.Source, "tree", "link"), secret);
        Directory.CreateSymbolicLink(Path.Combine(_rig.Source, "tree", "loop"), Path.Combine(_rig.Source, "tree"));
        FileSource source = TransferRig.Scan(Path.Combine(_rig.Source, "tree"));

        Assert.Equal(2, source.SkippedLinks);
        Assert.Equal("plain", Assert.Single(source.Offer.Entries).Path.Text);
        Assert.True((await _rig.SendAsync(source, new DuplexPair())).Sent.IsDone);
    }

    [Fact]
    public async Task Names_that_differ_in_case_or_normalization_all_arrive()
    {
        // NFC and NFD of one name, and a case clash: two files each, or one with a number where the file system takes them for one.
        _rig.SourceFile("tree/caf\u00E9", [1]);
        _rig.SourceFile("tree/cafe\u0301", [2]);
        _rig.SourceFile("tree/README", [3]);
        _rig.SourceFile("tree/readme", [4]);
        await _rig.SendAsync(Path.Combine(_rig.Source, "tree"));

        byte[] arrived = [.. Directory.EnumerateFiles(Path.Combine(_rig.Destination, "tree")).Select(path => Assert.Single(File.ReadAllBytes(path)))];
        byte[] there = [.. Directory.EnumerateFiles(Path.Combine(_rig.Source, "tree")).Select(path => Assert.Single(File.ReadAllBytes(path)))];
        Assert.Equal(there.Order(), arrived.Order());
    }

    [Fact]
    public async Task Refusals_tell_the_sender_why()
    {
        _rig.Receiver = new FileReceiver(TimeProvider.System)
        {
            Decide = (_, _, _) => ValueTask.FromResult(ReceiveDecision.Refuse(RefusalReason.NotAllowed)),
        };
        (SendOutcome sent, ReceiveOutcome received) = await _rig.SendAsync(_rig.SourceFile("a", [7]));

        Assert.Equal(RefusalReason.NotAllowed, sent.Refusal);
        Assert.False(sent.IsDone);
        Assert.Equal(RefusalReason.NotAllowed, received.Refusal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_rig.Destination));
    }

    [Fact]
    public async Task A_full_disk_refuses_at_once_what_cannot_fit()
    {
        _rig.Receiver = _rig.NewReceiver(freeBytes: TransferLimits.ReservedDiskBytes + 10);
        Assert.Equal(RefusalReason.NoSpace, (await _rig.SendAsync(_rig.SourceFile("a", new byte[11]))).Sent.Refusal);
        Assert.True((await _rig.SendAsync(_rig.SourceFile("b", new byte[10]))).Sent.IsDone);
    }

    [Fact]
    public async Task A_source_that_changes_while_it_is_sent_is_not_passed_off_as_whole()
    {
        string path = _rig.SourceFile("a", TransferRig.RandomBytes(3, 2_000_000));
        bool changed = false;
        (SendOutcome sent, ReceiveOutcome received) = await _rig.SendAsync(TransferRig.Scan(path), new DuplexPair(), _ =>
        {
            if (!changed)
            {
                changed = true;
                File.AppendAllText(path, "more");
            }
        });

        Assert.Equal(FailureReason.SourceChanged, sent.Failure);
        Assert.Equal(FailureReason.Interrupted, received.Failure);
        Assert.False(File.Exists(Path.Combine(_rig.Destination, "a")));
    }

    [Fact]
    public async Task A_cancelled_receiver_says_so()
    {
        using var cancel = new CancellationTokenSource();
        var pair = new DuplexPair();
        FileReceiver receiver = _rig.NewReceiver(progress: progress =>
        {
            if (progress.DoneBytes > 0)
            {
                cancel.Cancel();
            }
        });
        Task<ReceiveOutcome> receiving = Task.Run(() => receiver.RunAsync(pair.Right, TransferRig.Sender, cancel.Token), TestContext.Current.CancellationToken);
        var source = TransferRig.Scan(_rig.SourceFile("a", TransferRig.RandomBytes(4, 20_000_000)));
        SendOutcome sent = await new FileSender(source, TimeProvider.System).RunAsync(pair.Left, TestContext.Current.CancellationToken);

        Assert.Equal(FailureReason.Cancelled, (await receiving).Failure);
        Assert.Equal(FailureReason.Cancelled, sent.Failure);
    }
}
