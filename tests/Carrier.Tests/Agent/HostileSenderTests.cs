using System.IO.Pipelines;
using System.Security.Cryptography;
using Carrier.Agent.Transfer;
using Carrier.Core.Wire;

namespace Carrier.Tests.Agent;

/// <summary>Senders that lie about sizes, names and hashes.</summary>
public sealed class HostileSenderTests : IDisposable
{
    private readonly TransferRig _rig = new();

    public static TheoryData<string> UnsafePaths =>
    [
        "..", ".", "", "/etc/passwd", "a/../b", "../a", "a//b", "a/", "/", "C:", "C:\\a", "a:ads", "a\\b", "..\\a", "CON", "nul.txt", "aux", "COM1", "lpt9.log",
        "COM\u00B9", "CONIN$", "con .txt", "trailing.", "trailing ", "a/trailing./b", "nul\0byte", "new\nline", "esc\u001B[2J", "\u0085", "\u2028",
        ".carrier-partial", ".CARRIER-partial/x", "x/.carrier\u200C-partial",
    ];

    public void Dispose() => _rig.Dispose();

    [Theory]
    [MemberData(nameof(UnsafePaths))]
    public async Task Offer_of_an_unsafe_path_is_refused_and_touches_nothing(string path)
    {
        ReceiveOutcome outcome = await _rig.ReceiveFromAsync((wire, _) => wire.WriteAsync(OfferBytes(path), default).AsTask());

        Assert.Equal(path.Contains('\uFFFD', StringComparison.Ordinal) ? RefusalReason.Malformed : RefusalReason.UnsafePath, outcome.Refusal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_rig.Destination));
    }

    [Theory]
    [MemberData(nameof(UnsafePaths))]
    public void Unsafe_names_are_refused_as_the_name_of_a_folder_too(string name) =>
        Assert.Equal(OfferReading.UnsafePath, Offer.TryCreate(isFolder: true, name, [], out _));

    [Fact]
    public void Long_and_deep_paths_are_refused()
    {
        Assert.False(EntryPath.TryParse(new string('a', TransferLimits.MaxNameBytes + 1), out _));
        Assert.True(EntryPath.TryParse(new string('a', TransferLimits.MaxNameBytes), out _));
        Assert.False(EntryPath.TryParse(string.Join('/', Enumerable.Repeat("a", TransferLimits.MaxDepth + 1)), out _));
        Assert.True(EntryPath.TryParse(string.Join('/', Enumerable.Repeat("a", TransferLimits.MaxDepth)), out _));
        Assert.False(EntryPath.TryParse(string.Join('/', Enumerable.Repeat(new string('b', 200), 6)), out _));
    }

    [Fact]
    public void Paths_in_each_others_way_are_refused()
    {
        Assert.Equal(OfferReading.UnsafePath, Folder(File("a"), File("a/b")));
        Assert.Equal(OfferReading.UnsafePath, Folder(File("A"), File("a/b")));
        Assert.Equal(OfferReading.UnsafePath, Folder(File("a"), File("a")));
        Assert.Equal(OfferReading.Read, Folder(File("a"), File("A"), File("b/a")));
    }

    [Fact]
    public async Task Receive_more_than_declared_is_cut()
    {
        ReceiveOutcome outcome = await _rig.ReceiveFromAsync(async (wire, output) =>
        {
            await wire.WriteAsync(Encode(File("a", 1024)), default);
            await wire.WriteAsync(new Notice(MessageKind.Entry), default);
            byte[] chunk = new byte[TransferLimits.ChunkBytes];
            for (int i = 0; i < 4096; i++)
            {
                await WriteChunkAsync(output, chunk);
            }
        });

        Assert.Equal(FailureReason.Violation, outcome.Failure);
        Assert.True(Directory.EnumerateFiles(_rig.Destination, "*", SearchOption.AllDirectories).Sum(path => new FileInfo(path).Length) <= 1024);
    }

    [Fact]
    public async Task Receive_less_than_declared_is_no_success()
    {
        ReceiveOutcome outcome = await _rig.ReceiveFromAsync(async (wire, output) =>
        {
            await wire.WriteAsync(Encode(File("a", 1024)), default);
            await wire.WriteAsync(new Notice(MessageKind.Entry), default);
            await WriteChunkAsync(output, new byte[100]);
            await wire.WriteEndAsync(SHA256.HashData(new byte[100]), default);
        });

        Assert.Equal(FailureReason.Violation, outcome.Failure);
    }

    [Fact]
    public async Task Receive_endless_stream_is_cut_at_the_bound_and_leaves_nothing()
    {
        FileReceiver receiver = _rig.NewReceiver(maxUnknownBytes: 3_000_000);
        ReceiveOutcome outcome = await _rig.ReceiveFromAsync(
            async (wire, output) =>
            {
                await wire.WriteAsync(Encode(File("a", null)), default);
                await wire.WriteAsync(new Notice(MessageKind.Entry), default);
                byte[] chunk = new byte[TransferLimits.ChunkBytes];
                for (int i = 0; i < 4096; i++)
                {
                    await WriteChunkAsync(output, chunk);
                }
            },
            receiver);

        Assert.Equal(FailureReason.TooLarge, outcome.Failure);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_rig.Destination));
    }

    [Fact]
    public async Task Receive_while_the_disk_fills_keeps_the_part()
    {
        long free = TransferLimits.ReservedDiskBytes + 2048;
        var receiver = new FileReceiver(TimeProvider.System)
        {
            Decide = (_, _, _) => ValueTask.FromResult(ReceiveDecision.Accept(_rig.Destination)),
            FreeBytes = _ => Interlocked.Exchange(ref free, 0),
        };
        // There was room when it was offered; something else took it.
        ReceiveOutcome outcome = await _rig.ReceiveFromAsync(
            async (wire, output) =>
            {
                await wire.WriteAsync(Encode(File("a", 2000)), default);
                await wire.WriteAsync(new Notice(MessageKind.Entry), default);
                await WriteChunkAsync(output, new byte[2000]);
                await wire.WriteEndAsync(SHA256.HashData(new byte[2000]), default);
            },
            receiver);

        Assert.Equal(FailureReason.DiskFull, outcome.Failure);
        Assert.Single(Directory.EnumerateFiles(_rig.Staging, "0.part", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task Receive_wrong_hash_twice_fails_and_keeps_nothing()
    {
        ReceiveOutcome outcome = await _rig.ReceiveFromAsync(async (wire, output) =>
        {
            await wire.WriteAsync(Encode(File("a", 10)), default);
            for (int i = 0; i < 2; i++)
            {
                await wire.WriteAsync(new Notice(MessageKind.Entry), default);
                await WriteChunkAsync(output, new byte[10]);
                await wire.WriteEndAsync(new byte[32], default);
            }
        });

        Assert.Equal(FailureReason.Mismatch, outcome.Failure);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_rig.Destination));
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(int.MaxValue, 0)]
    [InlineData(0, 5)]
    [InlineData(0, long.MaxValue)]
    public async Task Entry_nobody_offered_is_a_violation(int entry, long offset)
    {
        ReceiveOutcome outcome = await _rig.ReceiveFromAsync(async (wire, _) =>
        {
            await wire.WriteAsync(Encode(File("a", 10)), default);
            await wire.WriteAsync(new Notice(MessageKind.Entry, entry, offset), default);
        });

        Assert.Equal(FailureReason.Violation, outcome.Failure);
    }

    [Fact]
    public async Task Lengths_beyond_the_bounds_are_violations_before_anything_is_held()
    {
        foreach (ulong length in new[] { TransferLimits.MaxOfferBytes + 1UL, Varint.MaxValue })
        {
            ReceiveOutcome outcome = await _rig.ReceiveFromAsync(async (_, output) => await WriteVarintAsync(output, length));
            Assert.Equal(FailureReason.Violation, outcome.Failure);
        }

        ReceiveOutcome chunk = await _rig.ReceiveFromAsync(async (wire, output) =>
        {
            await wire.WriteAsync(Encode(File("a", long.MaxValue - TransferLimits.ReservedDiskBytes)), default);
            await wire.WriteAsync(new Notice(MessageKind.Entry), default);
            await WriteVarintAsync(output, TransferLimits.MaxChunkBytes + 1);
        });
        Assert.Equal(FailureReason.Violation, chunk.Failure);
    }

    [Fact]
    public async Task Sender_meets_a_receiver_that_claims_done_too_early()
    {
        var pair = new DuplexPair();
        FileSource source = TransferRig.Scan(_rig.SourceFile("a", new byte[100]));
        Task<SendOutcome> sending = new FileSender(source, TimeProvider.System).RunAsync(pair.Left, TestContext.Current.CancellationToken);
        var wire = new TransferPipe(pair.Right);
        await wire.WriteAsync(new Acceptance(new Dictionary<int, long>(), new HashSet<int>()).Encode(), TestContext.Current.CancellationToken);
        await wire.WriteAsync(new Notice(MessageKind.Done), TestContext.Current.CancellationToken);

        Assert.Equal(FailureReason.Violation, (await sending).Failure);
    }

    [Fact]
    public async Task Sender_meets_a_receiver_that_asks_for_ever()
    {
        var pair = new DuplexPair();
        FileSource source = TransferRig.Scan(_rig.SourceFile("a", new byte[100]));
        Task<SendOutcome> sending = new FileSender(source, TimeProvider.System).RunAsync(pair.Left, TestContext.Current.CancellationToken);
        var wire = new TransferPipe(pair.Right);
        await wire.WriteAsync(new Acceptance(new Dictionary<int, long>(), new HashSet<int>()).Encode(), TestContext.Current.CancellationToken);
        await wire.WriteAsync(new Notice(MessageKind.Again), TestContext.Current.CancellationToken);
        await wire.WriteAsync(new Notice(MessageKind.Again), TestContext.Current.CancellationToken);

        Assert.Equal(FailureReason.Violation, (await sending).Failure);
    }

    private static OfferEntry File(string path, long? size = 1)
    {
        Assert.True(EntryPath.TryParse(path, out EntryPath parsed));
        return new OfferEntry(parsed, EntryKind.File, 1, size);
    }

    private static OfferReading Folder(params OfferEntry[] entries) => Offer.TryCreate(isFolder: true, "tree", entries, out _);

    private static byte[] Encode(OfferEntry entry)
    {
        Assert.Equal(OfferReading.Read, Offer.TryCreate(isFolder: false, entry.Path.Text, [entry], out Offer? offer));
        return offer!.Encode()!;
    }

    /// <summary>An offer of a folder with one file, which this program's own types would refuse to make.</summary>
    private static byte[] OfferBytes(string path)
    {
        byte[] buffer = new byte[4096];
        var writer = new CborWriter(buffer);
        writer.WriteMap(5);
        writer.WriteUInt(0);
        writer.WriteUInt(1);
        writer.WriteUInt(1);
        writer.WriteUInt(1);
        writer.WriteUInt(2);
        writer.WriteBool(true);
        writer.WriteUInt(3);
        writer.WriteText("tree");
        writer.WriteUInt(4);
        writer.WriteArray(1);
        writer.WriteMap(4);
        writer.WriteUInt(0);
        writer.WriteText(path);
        writer.WriteUInt(1);
        writer.WriteUInt(0);
        writer.WriteUInt(2);
        writer.WriteUInt(0);
        writer.WriteUInt(3);
        writer.WriteUInt(1);
        return writer.Encoded.ToArray();
    }

    private static async Task WriteChunkAsync(PipeWriter output, byte[] data)
    {
        await WriteVarintAsync(output, (ulong)data.Length);
        FlushResult result = await output.WriteAsync(data);
        if (result.IsCompleted)
        {
            throw new TransferException(FailureReason.Interrupted);
        }
    }

    private static async Task WriteVarintAsync(PipeWriter output, ulong value)
    {
        byte[] head = new byte[8];
        await output.WriteAsync(head.AsMemory(0, Varint.Write(head, value)));
    }
}
