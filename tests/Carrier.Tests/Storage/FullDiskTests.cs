using Carrier.Agent.State;
using Carrier.Core.Storage;

namespace Carrier.Tests.Storage;

/// <summary>THREATS, "disk full": degrade, recover, keys untouched; on a file system that is really full.</summary>
public sealed class FullDiskTests
{
    private const int DiskKilobytes = 256;

    [Fact]
    public void Write_on_a_full_disk_throws_keeps_the_old_file_and_works_again_with_room()
    {
        using var disk = SmallDisk.MountOrSkip(DiskKilobytes);
        byte[] old = [.. Enumerable.Repeat((byte)1, 10_000)];
        byte[] wanted = [.. Enumerable.Repeat((byte)2, 20_000)];
        DurableFile.Write(disk.File("table"), old);
        string hog = disk.Fill();

        Assert.Throws<IOException>(() => DurableFile.Write(disk.File("table"), wanted));

        Assert.Equal(old, File.ReadAllBytes(disk.File("table")));
        Assert.Equal([hog, disk.File("table")], Directory.GetFiles(disk.Path).Order());
        File.Delete(hog);
        DurableFile.Write(disk.File("table"), wanted);
        Assert.Equal(wanted, File.ReadAllBytes(disk.File("table")));
    }

    [Fact]
    public void Write_on_a_disk_that_became_read_only_throws_keeps_the_old_file_and_works_again_later()
    {
        using var disk = SmallDisk.MountOrSkip(DiskKilobytes);
        byte[] old = [1, 2, 3];
        DurableFile.Write(disk.File("table"), old);
        disk.Remount(isReadOnly: true);

        Assert.ThrowsAny<Exception>(() => DurableFile.Write(disk.File("table"), [4]));

        Assert.Equal(old, File.ReadAllBytes(disk.File("table")));
        disk.Remount(isReadOnly: false);
        DurableFile.Write(disk.File("table"), [5, 6]);
        Assert.Equal([5, 6], File.ReadAllBytes(disk.File("table")));
    }

    [Fact]
    public void Create_of_an_identity_on_a_full_disk_fails_and_leaves_the_one_there_is()
    {
        using var disk = SmallDisk.MountOrSkip(DiskKilobytes);
        var home = AgentHome.At(disk.File("agent"));
        new IdentityStore(home, SystemRandomSource.Shared, TimeProvider.System).Create(Core.Identity.Mnemonic.Generate(SystemRandomSource.Shared), null);
        Dictionary<string, byte[]> before = Directory.GetFiles(disk.File("agent"), "*", SearchOption.AllDirectories).ToDictionary(file => file, File.ReadAllBytes);
        _ = disk.Fill();

        Assert.ThrowsAny<Exception>(() => new IdentityStore(AgentHome.At(disk.File("other")), SystemRandomSource.Shared, TimeProvider.System)
            .Create(Core.Identity.Mnemonic.Generate(SystemRandomSource.Shared), null));

        Assert.Equal(before, Directory.GetFiles(disk.File("agent"), "*", SearchOption.AllDirectories).ToDictionary(file => file, File.ReadAllBytes));
    }
}
