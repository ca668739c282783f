using System.Collections;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Primitives;

namespace Carrier.Agent.Tunnels.Web;

/// <summary>The files beneath one folder, and nothing else: no <c>..</c>, no symbolic link, no name that begins with a dot.</summary>
internal sealed class RootedFiles : IFileProvider
{
    /// <summary>More names than this are no folder to read in a browser.</summary>
    private const int MaxListed = 10_000;

    private readonly string _root;

    /// <param name="root">An absolute path; links on the way to it are the owner's own choice.</param>
    public RootedFiles(string root) => _root = RealPath(root);

    public IFileInfo GetFileInfo(string subpath) =>
        TryFind(subpath, out string path) && new FileInfo(path) is { Exists: true } file ? new RootedFile(file) : new NotFoundFileInfo(subpath);

    public IDirectoryContents GetDirectoryContents(string subpath) =>
        TryFind(subpath, out string path) && new DirectoryInfo(path) is { Exists: true } folder ? new Listing(folder) : NotFoundDirectoryContents.Singleton;

    public IChangeToken Watch(string filter) => NullChangeToken.Singleton;

    /// <summary>Whether a name may be part of a path: not special to any file system.</summary>
    private static bool IsPlain(string name) =>
        name.Length > 0 && name[0] != '.' && !name.Any(each => char.IsControl(each) || each is '\\' or ':' or '/');

    /// <summary>The path with every link on it followed.</summary>
    private static string RealPath(string path)
    {
        string real = Path.GetPathRoot(path)!;
        foreach (string name in Path.GetRelativePath(real, path).Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries))
        {
            string next = Path.Combine(real, name);
            // A link's own target may lead through links again.
            real = Directory.ResolveLinkTarget(next, returnFinalTarget: true) is { } target ? RealPath(target.FullName) : next;
        }

        return real;
    }

    /// <summary>Walks down from the root, name by name; false where one is not plain or is a link.</summary>
    private bool TryFind(string subpath, out string path)
    {
        path = _root;
        foreach (string name in subpath.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            path = Path.Combine(path, name);
            if (!IsPlain(name) || new FileInfo(path).LinkTarget is not null)
            {
                return false;
            }
        }

        return true;
    }

    private sealed class Listing(DirectoryInfo folder) : IDirectoryContents
    {
        public bool Exists => true;

        public IEnumerator<IFileInfo> GetEnumerator() => folder.EnumerateFileSystemInfos()
            .Where(entry => IsPlain(entry.Name) && entry.LinkTarget is null)
            .Take(MaxListed)
            .Select(entry => (IFileInfo)new RootedFile(entry))
            .OrderBy(entry => entry.Name, StringComparer.OrdinalIgnoreCase)
            .GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}

/// <summary>A file or folder whose path was walked without meeting a link.</summary>
internal sealed class RootedFile(FileSystemInfo entry) : IFileInfo
{
    public bool Exists => true;

    public bool IsDirectory => entry is DirectoryInfo;

    public DateTimeOffset LastModified => entry.LastWriteTimeUtc;

    public long Length => entry is FileInfo file ? file.Length : -1;

    public string Name => entry.Name;

    /// <summary>None, so that the file is only ever opened here.</summary>
    public string? PhysicalPath => null;

    /// <exception cref="FileNotFoundException">It has become something else since it was looked at.</exception>
    public Stream CreateReadStream()
    {
        var stream = new FileStream(entry.FullName, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1, FileOptions.Asynchronous | FileOptions.SequentialScan);
        // Somebody may have put a link on the way between the walk and here: what was opened is what counts.
        if (OperatingSystem.IsLinux() && File.ResolveLinkTarget($"/proc/self/fd/{stream.SafeFileHandle.DangerousGetHandle()}", false)?.FullName != entry.FullName)
        {
            stream.Dispose();
            throw new FileNotFoundException("The file moved while it was opened.");
        }

        return stream;
    }
}
