using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Carrier.Core.Storage;

/// <summary>The operating system's files.</summary>
internal sealed partial class DiskFileSystem : IFileSystem
{
    public static readonly DiskFileSystem Instance = new();

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    public INewFile CreateNew(string path) => new NewFile(path);

    public void Rename(string from, string to) => File.Move(from, to, overwrite: true);

    /// <summary>Windows keeps names durable with the rename itself and opens no folder for flushing: nothing to do there.</summary>
    public void FlushFolder(string folder)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        using SafeFileHandle handle = OpenFolder(folder, followLink: true);
        if (handle.IsInvalid || Fsync(handle) != 0)
        {
            int errno = Marshal.GetLastPInvokeError();
            throw new IOException($"Folder '{folder}' could not be flushed: {Marshal.GetPInvokeErrorMessage(errno)}.", errno);
        }
    }

    public void Delete(string path) => File.Delete(path);

    /// <summary>Opens a folder to read, which <see cref="File.OpenHandle"/> refuses; check the handle, the error is the last P/Invoke error.</summary>
    internal static SafeFileHandle OpenFolder(string path, bool followLink)
    {
        bool isArm = RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm;
        (int closeOnExec, int noFollow, int folderOnly) = OperatingSystem.IsMacOS() ? (0x0100_0000, 0x0100, 0x0010_0000)
            : isArm ? (0x0008_0000, 0x8000, 0x4000)
            : (0x0008_0000, 0x0002_0000, 0x0001_0000);
        return Open(path, closeOnExec | folderOnly | (followLink ? 0 : noFollow));
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Fsync(SafeFileHandle handle);

    private sealed class NewFile : INewFile
    {
        private readonly FileStream _stream;

        public NewFile(string path)
        {
            var options = new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                Share = FileShare.None,
                BufferSize = 0,
            };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = OwnerOnly;
            }

            _stream = new FileStream(path, options);
        }

        public void Write(ReadOnlySpan<byte> contents) => _stream.Write(contents);

        public void Flush() => _stream.Flush(flushToDisk: true);

        public void Dispose() => _stream.Dispose();
    }
}
