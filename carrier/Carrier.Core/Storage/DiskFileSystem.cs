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

        // File.OpenHandle refuses folders.
        using SafeFileHandle handle = Open(folder, OperatingSystem.IsMacOS() ? 0x0100_0000 : 0x0008_0000); // O_RDONLY | O_CLOEXEC
        if (handle.IsInvalid || Fsync(handle) != 0)
        {
            int errno = Marshal.GetLastPInvokeError();
            throw new IOException($"Folder '{folder}' could not be flushed: {Marshal.GetPInvokeErrorMessage(errno)}.", errno);
        }
    }

    public void Delete(string path) => File.Delete(path);

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
