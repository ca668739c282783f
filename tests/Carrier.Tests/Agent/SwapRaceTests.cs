using System.Diagnostics;
using System.IO.Pipelines;
using System.Security.Cryptography;
using Carrier.Agent.Transfer;
using Carrier.Core.Wire;
using Carrier.Tests.Storage;

namespace Carrier.Tests.Agent;

/// <summary>Somebody else who may write to the folder that files are received in puts links in the way, before and meanwhile.</summary>
public sealed class SwapRaceTests : IDisposable
{
    private const string Precious = "precious";

    private readonly TransferRig _rig = new();
    private readonly TemporaryFolder _elsewhere = new();
    private readonly byte[] _contents = TransferRig.RandomBytes(1, 100_000);

    public SwapRaceTests()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Folders are held open through /proc.");
        foreach (string name in new[] { "0.part", "0.whole", Path.Combine("old", "kept") })
        {
            string path = _elsewhere.File(name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, Precious);
        }

        Directory.SetLastWriteTimeUtc(_elsewhere.File("old"), DateTime.UtcNow - (2 * TransferLimits.PartialLifetime));
    }

    public void Dispose()
    {
        _rig.Dispose();
        _elsewhere.Dispose();
    }

    [Fact]
    public async Task Receive_into_a_folder_where_a_link_stands_for_ours_fails_and_follows_it_nowhere()
    {
        Directory.CreateSymbolicLink(_rig.Staging, _elsewhere.Path);
        ReceiveOutcome outcome = await ReceiveAsync(meanwhile: null);
        Assert.Equal(FailureReason.DiskError, outcome.Failure);
        AssertNothingElsewhereChanged();
    }

    [Fact]
    public async Task Receive_while_our_folder_is_swapped_for_a_link_writes_nothing_elsewhere()
    {
        ReceiveOutcome outcome = await ReceiveAsync(meanwhile: () =>
        {
            Assert.True(SpinWait.SpinUntil(() => Directory.Exists(_rig.Staging) && Directory.GetFiles(_rig.Staging, "0.part", SearchOption.AllDirectories).Length > 0, TimeSpan.FromSeconds(30)));
            SwapForALink();
        });
        AssertNothingElsewhereChanged();
        Assert.Equal(FailureReason.None, outcome.Failure);
        Assert.Equal(_contents, _rig.Arrived("a"));
    }

    [Fact]
    public async Task Receive_while_folders_are_swapped_all_the_time_writes_nothing_elsewhere()
    {
        using CancellationTokenSource over = new();
        Task swapping = Task.Run(
            () =>
            {
                for (int i = 0; !over.IsCancellationRequested; i++)
                {
                    SwapForALink();
                    DeleteLink();
                }
            },
            TestContext.Current.CancellationToken);
        for (int i = 0; i < 50; i++)
        {
            _ = await ReceiveAsync(meanwhile: null);
            AssertNothingElsewhereChanged();
        }

        await over.CancelAsync();
        await swapping;
    }

    [Fact]
    public async Task Receive_into_a_folder_of_ours_that_another_user_made_fails()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Only root can give a folder away.");
        Directory.CreateDirectory(_rig.Staging);
        using (var chown = Process.Start("chown", ["65534", _rig.Staging]))
        {
            await chown.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        Assert.Equal(FailureReason.DiskError, (await ReceiveAsync(meanwhile: null)).Failure);
    }

    private Task<ReceiveOutcome> ReceiveAsync(Action? meanwhile) => _rig.ReceiveFromAsync(async (wire, output) =>
    {
        Assert.True(EntryPath.TryParse("a", out EntryPath path));
        Assert.Equal(OfferReading.Read, Offer.TryCreate(isFolder: false, "a", [new OfferEntry(path, EntryKind.File, 1, _contents.Length)], out Offer? offer));
        await wire.WriteAsync(offer!.Encode()!, default);
        await wire.WriteAsync(new Notice(MessageKind.Entry), default);
        int half = _contents.Length / 2;
        await WriteChunkAsync(output, _contents.AsMemory(0, half));
        meanwhile?.Invoke();
        await WriteChunkAsync(output, _contents.AsMemory(half));
        await wire.WriteEndAsync(SHA256.HashData(_contents), default);
    });

    private void SwapForALink()
    {
        try
        {
            Directory.Move(_rig.Staging, Path.Combine(_rig.Destination, Path.GetRandomFileName()));
        }
        catch (IOException)
        {
            // Not there yet, or no longer.
        }

        try
        {
            Directory.CreateSymbolicLink(_rig.Staging, _elsewhere.Path);
        }
        catch (IOException)
        {
            // The receiver was faster.
        }
    }

    private void DeleteLink()
    {
        try
        {
            File.Delete(_rig.Staging);
        }
        catch (UnauthorizedAccessException)
        {
            // It is a folder: the receiver was faster.
        }
    }

    private void AssertNothingElsewhereChanged()
    {
        string[] files = Directory.GetFiles(_elsewhere.Path, "*", SearchOption.AllDirectories);
        Assert.Equal(3, files.Length);
        Assert.All(files, file => Assert.Equal(Precious, File.ReadAllText(file)));
    }

    private static async Task WriteChunkAsync(PipeWriter output, ReadOnlyMemory<byte> data)
    {
        byte[] head = new byte[8];
        await output.WriteAsync(head.AsMemory(0, Varint.Write(head, (ulong)data.Length)));
        if ((await output.WriteAsync(data)).IsCompleted)
        {
            throw new TransferException(FailureReason.Interrupted);
        }
    }
}
