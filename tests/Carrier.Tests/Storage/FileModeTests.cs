using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using Carrier.Core.Storage;

namespace Carrier.Tests.Storage;

/// <summary>Who may read what is stored, whatever the process's umask.</summary>
[UnsupportedOSPlatform("windows")]
public sealed partial class FileModeTests
{
    private static readonly byte[] Contents = "contents"u8.ToArray();

    [Fact]
    public void Write_under_an_open_umask_makes_the_file_its_owners_alone()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has access lists in place of modes.");
        using var folder = new TemporaryFolder();
        uint before = Umask(0);
        try
        {
            PrivateFolder.Ensure(folder.File("a/b"));
            DurableFile.Write(folder.File("a/b/keys"), Contents);
            File.WriteAllBytes(folder.File("a/b/open"), Contents);
            DurableFile.Write(folder.File("a/b/open"), Contents);
        }
        finally
        {
            _ = Umask(before);
        }

        Assert.Equal("700", Mode(folder.File("a/b")));
        Assert.Equal("600", Mode(folder.File("a/b/keys")));
        Assert.Equal("600", Mode(folder.File("a/b/open"))); // a file that was open is narrowed by its replacement
    }

    [Fact]
    public void Ensure_a_folder_others_may_enter_is_refused_and_left_alone()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has access lists in place of modes.");
        using var folder = new TemporaryFolder();
        PrivateFolder.Ensure(folder.Path); // made 0700
        PrivateFolder.Ensure(folder.Path + "/");
        File.SetUnixFileMode(folder.Path, (UnixFileMode)Convert.ToInt32("750", 8));
        Assert.Throws<UnauthorizedAccessException>(() => PrivateFolder.Ensure(folder.Path));
        Assert.Equal("750", Mode(folder.Path));
    }

    private static string Mode(string path) => Convert.ToString((int)File.GetUnixFileMode(path), 8);

    [LibraryImport("libc", EntryPoint = "umask")]
    private static partial uint Umask(uint mask);
}
