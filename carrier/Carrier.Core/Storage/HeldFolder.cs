using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Carrier.Core.Storage;

/// <summary>A folder of this user alone that is held open: what is under <see cref="Path"/> stays in it, whoever renames it or puts a link in its place.</summary>
/// <remarks>
/// For folders inside one that others may write to, such as a shared download folder. On Linux the path leads through <c>/proc/self/fd</c>, which names the
/// folder that was opened and no other. Elsewhere it is the plain path, checked once.
/// </remarks>
public sealed partial class HeldFolder : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private const string OpenFolders = "/proc/self/fd";

    private readonly SafeFileHandle? _handle;

    private HeldFolder(string path, SafeFileHandle? handle) => (Path, _handle) = (path, handle);

    /// <summary>Leads to the folder until this is disposed.</summary>
    public string Path { get; }

    /// <summary>Opens the folder, made with mode 0700 where it is missing.</summary>
    /// <exception cref="IOException">A link or file stands in its place, it belongs to another user, or it cannot be made.</exception>
    public static HeldFolder Open(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path);
            return new HeldFolder(NotALink(path), null);
        }

        if (new DirectoryInfo(path).LinkTarget is null)
        {
            Directory.CreateDirectory(path, OwnerOnly);
        }

        if (!OperatingSystem.IsLinux() || !Directory.Exists(OpenFolders))
        {
            return new HeldFolder(NotALink(path), null);
        }

        SafeFileHandle handle = DiskFileSystem.OpenFolder(path, followLink: false);
        try
        {
            if (handle.IsInvalid)
            {
                throw new IOException($"'{path}' must be a folder of its own: {Marshal.GetLastPInvokeErrorMessage()}.");
            }

            if (OwnerOf(handle) != GetEffectiveUserId())
            {
                throw new IOException($"'{path}' belongs to another user.");
            }

            File.SetUnixFileMode(handle, OwnerOnly);
            return new HeldFolder(string.Create(CultureInfo.InvariantCulture, $"{OpenFolders}/{handle.DangerousGetHandle()}"), handle);
        }
        catch (Exception)
        {
            handle.Dispose();
            throw;
        }
    }

    public void Dispose() => _handle?.Dispose();

    private static string NotALink(string path) => new DirectoryInfo(path).LinkTarget is null
        ? path
        : throw new IOException($"'{path}' is a link; it must be a folder of its own.");

    private static uint OwnerOf(SafeFileHandle handle)
    {
        const int EmptyPath = 0x1000;
        const uint WantsOwner = 0x8;
        Span<byte> status = stackalloc byte[256];
        if (Statx(handle, string.Empty, EmptyPath, WantsOwner, status) != 0)
        {
            throw new IOException($"The owner of a folder is not told: {Marshal.GetLastPInvokeErrorMessage()}.");
        }

        const int OwnerOffset = 20; // stx_uid, the same on every architecture
        return MemoryMarshal.Read<uint>(status[OwnerOffset..]);
    }

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(SafeFileHandle folder, string path, int flags, uint mask, Span<byte> status);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint GetEffectiveUserId();
}
