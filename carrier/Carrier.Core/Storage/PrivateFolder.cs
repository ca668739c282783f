namespace Carrier.Core.Storage;

/// <summary>A folder only its owner can look into (mode 0700): where keys and state live.</summary>
public static class PrivateFolder
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private const UnixFileMode Others =
        UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    /// <summary>Creates the folder if it is missing, with the right mode from its first moment, and makes its name durable.</summary>
    /// <exception cref="UnauthorizedAccessException">It exists and others may enter it. It is not narrowed here: the path may be a mistake, and
    /// <c>/tmp</c> must stay open.</exception>
    public static void Ensure(string path)
    {
        string folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        bool existed = Directory.Exists(folder);
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(folder); // below the user's profile its inherited access list is already the user's alone
            return;
        }

        Directory.CreateDirectory(folder, OwnerOnly);
        UnixFileMode mode = File.GetUnixFileMode(folder);
        if ((mode & Others) != 0)
        {
            throw new UnauthorizedAccessException(
                $"'{folder}' holds keys and is open to other users (mode {Convert.ToString((int)mode, 8)}): run chmod 700 on it.");
        }

        if (!existed && Path.GetDirectoryName(folder) is { } parent)
        {
            DiskFileSystem.Instance.FlushFolder(parent);
        }
    }
}
