namespace Carrier.Agent.Transfer;

/// <summary>A file or a folder on this machine's disk.</summary>
internal sealed class FileSource : TransferSource
{
    private readonly string[] _paths;

    private FileSource(Offer offer, string[] paths, int skippedLinks)
        : base(offer)
    {
        _paths = paths;
        SkippedLinks = skippedLinks;
    }

    /// <summary>Links below the folder, which are neither followed nor sent.</summary>
    public int SkippedLinks { get; }

    public override bool IsRepeatable => true;

    /// <summary>Looks at everything that would be sent.</summary>
    /// <param name="offending">The first name no receiver would take, or null.</param>
    /// <exception cref="IOException">It is not there, or cannot be listed.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be listed.</exception>
    public static OfferReading TryScan(string path, out FileSource? source, out string? offending)
    {
        source = null;
        offending = null;
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        string name = Path.GetFileName(full);
        bool isFolder = Directory.Exists(full);
        var entries = new List<OfferEntry>();
        var paths = new List<string>();
        int links = 0;
        FileSystemInfo info = isFolder ? new DirectoryInfo(full) : new FileInfo(full);
        info = info.ResolveLinkTarget(returnFinalTarget: true) ?? info;
        IEnumerable<FileSystemInfo> found = isFolder ? Walk((DirectoryInfo)info) : [info];
        foreach (FileSystemInfo each in found)
        {
            if (isFolder && each.LinkTarget is not null)
            {
                links++;
                continue;
            }

            string relative = isFolder ? Path.GetRelativePath(info.FullName, each.FullName).Replace(Path.DirectorySeparatorChar, '/') : name;
            if (!EntryPath.TryParse(relative, out EntryPath entryPath))
            {
                offending = relative;
                return OfferReading.UnsafePath;
            }

            if (entries.Count == TransferLimits.MaxEntries)
            {
                return OfferReading.TooLarge;
            }

            entries.Add(Describe(each, entryPath));
            paths.Add(each.FullName);
        }

        OfferReading reading = Offer.TryCreate(isFolder, name, entries, out Offer? offer);
        source = reading == OfferReading.Read ? new FileSource(offer!, [.. paths], links) : null;
        offending = reading == OfferReading.UnsafePath ? name : null;
        return reading;
    }

    public override Stream Open(int entry) =>
        new FileStream(_paths[entry], FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);

    public override bool IsUnchanged(int entry)
    {
        var info = new FileInfo(_paths[entry]);
        return info.Exists && Describe(info, Offer.Entries[entry].Path) == Offer.Entries[entry];
    }

    /// <summary>Everything below a folder in an order that is the same every time, links not followed.</summary>
    private static IEnumerable<FileSystemInfo> Walk(DirectoryInfo folder)
    {
        foreach (FileSystemInfo child in folder.EnumerateFileSystemInfos().OrderBy(info => info.Name, StringComparer.Ordinal))
        {
            yield return child;
            if (child is DirectoryInfo { LinkTarget: null } below)
            {
                foreach (FileSystemInfo deeper in Walk(below))
                {
                    yield return deeper;
                }
            }
        }
    }

    private static OfferEntry Describe(FileSystemInfo info, EntryPath path)
    {
        long modified = Math.Clamp(new DateTimeOffset(info.LastWriteTimeUtc).ToUnixTimeMilliseconds(), 0, OfferEntry.MaxModified);
        if (info is not FileInfo file)
        {
            return new OfferEntry(path, EntryKind.Folder, modified, 0);
        }

        bool runs = !OperatingSystem.IsWindows() && (file.UnixFileMode & UnixFileMode.UserExecute) != 0;
        return new OfferEntry(path, runs ? EntryKind.Executable : EntryKind.File, modified, file.Length);
    }
}
