using System.Diagnostics;

namespace Carrier.Tests.Storage;

/// <summary>A real, small file system that only a child process has mounted, reached through its <c>/proc</c> entry: nobody else sees the mount, and
/// it is gone with the child.</summary>
internal sealed class SmallDisk : IDisposable
{
    private readonly TemporaryFolder _mountPoint;
    private readonly Process _holder;

    private SmallDisk(TemporaryFolder mountPoint, Process holder) => (_mountPoint, _holder) = (mountPoint, holder);

    public string Path => $"/proc/{_holder.Id}/root{_mountPoint.Path}";

    /// <summary>Mounts it, or skips the test where that is not allowed.</summary>
    public static SmallDisk MountOrSkip(int kilobytes)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess, "A file system of its own needs root on Linux: run the tests as root.");
        TemporaryFolder mountPoint = new();
        string script = $"mount -t tmpfs -o size={kilobytes}k,mode=700 tmpfs '{mountPoint.Path}' && echo mounted && exec cat";
        Process holder = Process.Start(new ProcessStartInfo("unshare", ["-m", "sh", "-c", script]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        SmallDisk disk = new(mountPoint, holder);
        if (holder.StandardOutput.ReadLine() != "mounted")
        {
            disk.Dispose();
            Assert.Skip("Nothing can be mounted here, though this is root.");
        }

        return disk;
    }

    public string File(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Uses up all room; returns the file that holds it.</summary>
    public string Fill()
    {
        string hog = File("hog");
        using FileStream stream = new(hog, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        byte[] block = new byte[4096];
        void WriteOn()
        {
            while (true)
            {
                stream.Write(block);
            }
        }

        Assert.Throws<IOException>((Action)WriteOn);
        return hog;
    }

    /// <summary>As a kernel does to a disk that fails.</summary>
    public void Remount(bool isReadOnly)
    {
        using var mount = Process.Start("nsenter", ["-t", $"{_holder.Id}", "-m", "mount", "-o", isReadOnly ? "remount,ro" : "remount,rw", _mountPoint.Path]);
        mount.WaitForExit();
        Assert.Equal(0, mount.ExitCode);
    }

    public void Dispose()
    {
        _holder.StandardInput.Close(); // ends cat, and with it the mount
        _holder.WaitForExit();
        _holder.Dispose();
        _mountPoint.Dispose();
    }
}
