using System.IO.Pipelines;
using Carrier.Agent.Transfer;
using Carrier.Core.Identity;
using Carrier.Tests.Storage;

namespace Carrier.Tests.Agent;

/// <summary>A sender's folder, a receiver's folder, and transfers between them.</summary>
internal sealed class TransferRig : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public TransferRig()
    {
        Directory.CreateDirectory(Source);
        Directory.CreateDirectory(Destination);
        Receiver = NewReceiver();
    }

    public static TrustId Sender { get; } = new(Enumerable.Range(1, TrustId.Bytes).Select(i => (byte)i).ToArray());

    public string Source => _folder.File("source");

    public string Destination => _folder.File("destination");

    public string Staging => Path.Combine(Destination, EntryPath.StagingName);

    public FileReceiver Receiver { get; set; }

    public static byte[] RandomBytes(int seed, int length)
    {
        byte[] bytes = new byte[length];
        new SeededRandom((ulong)seed).Fill(bytes);
        return bytes;
    }

    public FileReceiver NewReceiver(long maxUnknownBytes = long.MaxValue, long freeBytes = long.MaxValue, Action<TransferProgress>? progress = null) =>
        new(TimeProvider.System)
        {
            Decide = (_, _, _) => ValueTask.FromResult(ReceiveDecision.Accept(Destination)),
            FreeBytes = _ => freeBytes,
            MaxUnknownBytes = maxUnknownBytes,
            Progress = (_, each) => progress?.Invoke(each),
        };

    public string SourceFile(string name, byte[] contents)
    {
        string path = Path.Combine(Source, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, contents);
        return path;
    }

    public byte[] Arrived(string name) => File.ReadAllBytes(Path.Combine(Destination, name));

    public static FileSource Scan(string path)
    {
        Assert.Equal(OfferReading.Read, FileSource.TryScan(path, out FileSource? source, out _));
        return source!;
    }

    public Task<(SendOutcome Sent, ReceiveOutcome Received)> SendAsync(string path) => SendAsync(Scan(path), new DuplexPair());

    public async Task<(SendOutcome Sent, ReceiveOutcome Received)> SendAsync(
        TransferSource source, DuplexPair pair, Action<TransferProgress>? progress = null)
    {
        CancellationToken cancel = TestContext.Current.CancellationToken;
        var sender = new FileSender(source, TimeProvider.System) { Progress = progress };
        Task<ReceiveOutcome> receiving = Task.Run(() => Receiver.RunAsync(pair.Right, Sender, cancel), cancel);
        SendOutcome sent = await sender.RunAsync(pair.Left, cancel);
        return (sent, await receiving);
    }

    /// <summary>Plays a hostile sender by hand: what it writes, and what the receiver makes of it.</summary>
    public async Task<ReceiveOutcome> ReceiveFromAsync(Func<TransferPipe, PipeWriter, Task> sender, FileReceiver? receiver = null)
    {
        var pair = new DuplexPair();
        Task<ReceiveOutcome> receiving = (receiver ?? Receiver).RunAsync(pair.Right, Sender, TestContext.Current.CancellationToken);
        Task draining = DrainAsync(pair.Left.Input);
        try
        {
            await sender(new TransferPipe(pair.Left), pair.Left.Output);
        }
        catch (TransferException)
        {
            // Cut off, as it should be.
        }

        await pair.Left.Output.CompleteAsync();
        ReceiveOutcome outcome = await receiving;
        await draining;
        return outcome;
    }

    public void Dispose() => _folder.Dispose();

    private static async Task DrainAsync(PipeReader reader)
    {
        ReadResult result;
        do
        {
            result = await reader.ReadAsync();
            reader.AdvanceTo(result.Buffer.End);
        }
        while (!result.IsCompleted);
    }
}
