using System.Buffers.Binary;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using Carrier.Core.Storage;

namespace Carrier.Tests.Storage;

/// <summary>Kills a process that does nothing but replace one file, two hundred times, at moments nobody chose.</summary>
public sealed class DurableFileKillTests
{
    private const int Kills = 200;

    /// <summary>How many writers run at once: their start is most of the time a kill takes.</summary>
    private const int Writers = 4;

    private const int FileBytes = 64 * 1024;
    private const string ChildVariable = "CARRIER_TEST_DURABLE_WRITER";

    [Fact]
    public async Task Write_killed_two_hundred_times_keeps_what_was_acknowledged()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Signals are Unix's.");
        using var folder = new TemporaryFolder();
        int[] leftovers = await Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => Task.Run(
            () => KillRepeatedly(Directory.CreateDirectory(folder.File($"{writer}")).FullName, Kills / Writers),
            TestContext.Current.CancellationToken)));

        // Some kills must have hit the middle of a write, or this test shows nothing.
        Assert.True(leftovers.Sum() > 0);
    }

    /// <summary>Where the child begins: this assembly is started again with <see cref="ChildVariable"/> set, and never reaches the test runner.</summary>
    [ModuleInitializer]
    internal static void RunAsChild()
    {
        if (Environment.GetEnvironmentVariable(ChildVariable) is not { } path)
        {
            return;
        }

        _ = DurableFile.TryRead(path, FileBytes, out byte[] contents);
        uint version = VersionOf(contents);
        using Stream output = Console.OpenStandardOutput();
        Span<byte> acknowledgement = stackalloc byte[sizeof(uint)];
        while (true)
        {
            version++;
            DurableFile.Write(path, Contents(version));
            BinaryPrimitives.WriteUInt32BigEndian(acknowledgement, version);
            output.Write(acknowledgement);
        }
    }

    private static int KillRepeatedly(string folder, int kills)
    {
        string path = Path.Combine(folder, "state");
        var random = new Random(kills);
        byte[] acknowledgement = new byte[sizeof(uint)];
        uint acknowledged = 0;
        int leftovers = 0;
        for (int kill = 0; kill < kills; kill++)
        {
            var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "Carrier.Tests.exe" : "Carrier.Tests")) { RedirectStandardOutput = true };
            start.Environment[ChildVariable] = path;
            using (Process child = Process.Start(start)!)
            {
                Stream output = child.StandardOutput.BaseStream;
                int writes = random.Next(1, 4);
                for (int write = 0; write < writes; write++)
                {
                    output.ReadExactly(acknowledgement);
                    acknowledged = BinaryPrimitives.ReadUInt32BigEndian(acknowledgement);
                }

                child.Kill(); // SIGKILL
                while (output.ReadAtLeast(acknowledgement, acknowledgement.Length, throwOnEndOfStream: false) == acknowledgement.Length)
                {
                    // What it acknowledged before it died counts too.
                    acknowledged = BinaryPrimitives.ReadUInt32BigEndian(acknowledgement);
                }

                child.WaitForExit();
            }

            Assert.Equal(FileReading.Read, DurableFile.TryRead(path, FileBytes, out byte[] found));
            uint version = VersionOf(found);
            Assert.Equal(Contents(version), found);
            Assert.True(version >= acknowledged, $"{acknowledged} was acknowledged and {version} is there");
            leftovers += Directory.GetFiles(folder).Length - 1;
            DurableFile.CleanLeftovers(folder);
            Assert.Equal([path], Directory.GetFiles(folder));
        }

        return leftovers;
    }

    private static uint VersionOf(byte[] contents) => contents.Length == 0 ? 0 : BinaryPrimitives.ReadUInt32BigEndian(contents);

    /// <summary>A file whose every word is its version: any mixture of two is seen.</summary>
    private static byte[] Contents(uint version)
    {
        byte[] contents = new byte[FileBytes];
        for (int at = 0; at < contents.Length; at += sizeof(uint))
        {
            BinaryPrimitives.WriteUInt32BigEndian(contents.AsSpan(at), version);
        }

        return contents;
    }
}
