using System.Diagnostics;

namespace Carrier.Tests.Storage;

/// <summary>A real, small file system that only a child process has mounted, reached through its <c>/proc</c> entry: nobody else sees the mount, and
/// it is gone with the child.</summary>
/// <remarks>Not for SQLite, which resolves links itself: <c>/proc/PID/root</c> leads it out to the real disk. It needs a process <see cref="Inside"/>.</remarks>
internal sealed class SmallDisk : IDisposable
{
    /// <summary>The exit code of a command <see cref="Inside"/> that was not run.</summary>
    public const int NotMounted = 77;

    private readonly TemporaryFolder _mountPoint;
    private readonly Process _holder;

    private SmallDisk(TemporaryFolder mountPoint, Process holder) => (_mountPoint, _holder) = (mountPoint, holder);

    public string Path => $"/proc/{_holder.Id}/root{_mountPoint.Path}";

    /// <summary>Mounts it, or skips the test where that is not allowed.</summary>
    public static SmallDisk MountOrSkip(int kilobytes)
    {
        SkipUnlessRoot();
        TemporaryFolder mountPoint = new();
        ProcessStartInfo start = Inside(mountPoint.Path, kilobytes, "echo mounted && exec cat");
        start.RedirectStandardInput = true;
        Process holder = Process.Start(start)!;
        SmallDisk disk = new(mountPoint, holder);
        if (holder.StandardOutput.ReadLine() != "mounted")
        {
            disk.Dispose();
            Assert.Skip("Nothing can be mounted here, though this is root.");
        }

        return disk;
    }

    public static void SkipUnlessRoot() => Assert.SkipUnless(
        OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess, "A file system of its own needs root on Linux: run the tests as root.");

    /// <summary>A shell command that runs where <paramref name="mountPoint"/> is such a file system, its output redirected; it ends with <see cref="NotMounted"/> where nothing can be mounted.</summary>
    public static ProcessStartInfo Inside(string mountPoint, int kilobytes, string command) => new(
        "unshare", ["-m", "sh", "-c", $"mount -t tmpfs -o size={kilobytes}k,mode=700 tmpfs '{mountPoint}' || exit {NotMounted}; {command}"])
    {
        RedirectStandardOutput = true,
    };

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
