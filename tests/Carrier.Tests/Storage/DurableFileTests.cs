using Carrier.Core.Storage;

namespace Carrier.Tests.Storage;

public sealed class DurableFileTests
{
    private const string Target = "/state/keys";

    private static readonly byte[] Old = "old contents"u8.ToArray();
    private static readonly byte[] New = "new contents"u8.ToArray();

    [Fact]
    public void Write_creates_then_replaces_and_leaves_nothing_else()
    {
        using var folder = new TemporaryFolder();
        DurableFile.Write(folder.File("keys"), Old);
        DurableFile.Write(folder.File("keys"), New);
        Assert.Equal(FileReading.Read, DurableFile.TryRead(folder.File("keys"), 100, out byte[] contents));
        Assert.Equal(New, contents);
        Assert.Equal([folder.File("keys")], Directory.GetFiles(folder.Path));
    }

    [Fact]
    public void Write_a_link_in_the_place_of_the_file_is_replaced_and_not_followed()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Making a link takes a privilege there.");
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder.File("victim"), Old);
        File.CreateSymbolicLink(folder.File("keys"), folder.File("victim"));
        DurableFile.Write(folder.File("keys"), New);
        Assert.Equal(Old, File.ReadAllBytes(folder.File("victim")));
        Assert.Equal(New, File.ReadAllBytes(folder.File("keys")));
    }

    [Fact]
    public void Write_into_a_missing_folder_or_over_a_folder_throws_and_leaves_nothing()
    {
        using var folder = new TemporaryFolder();
        Assert.Throws<DirectoryNotFoundException>(() => DurableFile.Write(folder.File("missing/keys"), New));
        Directory.CreateDirectory(folder.File("taken"));
        Assert.ThrowsAny<Exception>(() => DurableFile.Write(folder.File("taken"), New));
        Assert.Empty(Directory.GetFiles(folder.Path));
    }

    [Fact]
    public void TryRead_says_what_it_found()
    {
        using var folder = new TemporaryFolder();
        Assert.Equal(FileReading.Missing, DurableFile.TryRead(folder.File("keys"), 100, out _));
        Assert.Equal(FileReading.Missing, DurableFile.TryRead(folder.File("missing/keys"), 100, out _));
        File.WriteAllBytes(folder.File("keys"), New);
        Assert.Equal(FileReading.Read, DurableFile.TryRead(folder.File("keys"), New.Length, out byte[] contents));
        Assert.Equal(New, contents);
        Assert.Equal(FileReading.TooLong, DurableFile.TryRead(folder.File("keys"), New.Length - 1, out contents));
        Assert.Empty(contents);
    }

    [Fact]
    public void TryRead_an_endless_file_is_too_long()
    {
        Assert.SkipUnless(File.Exists("/dev/zero"), "No endless file here.");
        Assert.Equal(FileReading.TooLong, DurableFile.TryRead("/dev/zero", 1000, out _));
    }

    [Fact]
    public void CleanLeftovers_deletes_what_killed_writers_left_and_nothing_else()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder.File("keys"), Old);
        File.WriteAllBytes(folder.File("brand.new"), Old);
        File.WriteAllBytes(folder.File(".keys.abcd.new"), New);
        DurableFile.CleanLeftovers(folder.Path);
        Assert.Equal([folder.File("brand.new"), folder.File("keys")], Directory.GetFiles(folder.Path).Order());
    }

    [Fact]
    public void Write_flushes_the_file_before_the_rename_and_the_folder_after()
    {
        var files = new ModelFileSystem();
        files.Seed(Target, Old);
        DurableFile.Write(files, Target, New);
        Assert.Equal(["create", "write", "flush", "rename", "flush folder"], files.Steps);
        Assert.All(files.AfterPowerLoss(Target), found => Assert.Equal(New, found));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Write_a_failed_step_is_an_error_tried_once_that_leaves_old_or_new(int step)
    {
        var files = new ModelFileSystem { FailAtStep = step };
        files.Seed(Target, Old);
        Assert.Throws<IOException>(() => DurableFile.Write(files, Target, New));
        Assert.Equal(step < 4 ? Old : New, files.See(Target));
        Assert.All(files.AfterPowerLoss(Target), found => Assert.True(found!.SequenceEqual(Old) || found!.SequenceEqual(New)));
        Assert.Equal([Target], files.Names); // the half-made file is cleaned away
        Assert.Equal(files.Steps.Distinct(), files.Steps); // no step was tried again
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Write_power_lost_at_any_step_leaves_old_or_new(int step)
    {
        var files = new ModelFileSystem { FailAtStep = step, FailureIsPowerLoss = true };
        files.Seed(Target, Old);
        Assert.Throws<IOException>(() => DurableFile.Write(files, Target, New));
        Assert.All(files.AfterPowerLoss(Target), found => Assert.True(found!.SequenceEqual(Old) || found!.SequenceEqual(New)));
    }
}
