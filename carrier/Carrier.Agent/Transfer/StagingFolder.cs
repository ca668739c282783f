using Carrier.Core.Storage;

namespace Carrier.Agent.Transfer;

/// <summary>Where one transfer is kept until it is whole: <c>DEST/.carrier-partial/TRANSFER-ID</c>. No name a peer chose is used before everything is verified.</summary>
/// <remarks>
/// <code>
///  0.part  1.whole  2.part …   entries by number: being received, or verified
///  tree/                       what is moved into place, made at the end of the verified entries
/// </code>
/// The finished file or folder reaches its place by one rename to a name that was free. Peer-chosen paths are only walked below <c>tree</c>, in a folder
/// of mode 0700 where nothing but folders made here exists, so there is no link to follow and no race to win.
/// </remarks>
internal sealed class StagingFolder
{
    private readonly string _destination;
    private readonly string _folder;

    private StagingFolder(string destination, string folder)
    {
        _destination = destination;
        _folder = folder;
    }

    /// <summary>Opens the transfer's folder, new or as it was left, and lets go of transfers nobody came back to.</summary>
    /// <exception cref="IOException">The folder cannot be made, or a link stands in its place.</exception>
    public static StagingFolder Open(string destination, TransferId id, DateTime utcNow)
    {
        Directory.CreateDirectory(destination);
        string all = Path.Combine(destination, EntryPath.StagingName);
        CreatePrivate(all);
        string folder = Path.Combine(all, id.ToString());
        if (!Directory.Exists(folder))
        {
            Prune(all, utcNow);
        }

        CreatePrivate(folder);
        Directory.SetLastWriteTimeUtc(folder, utcNow);
        return new StagingFolder(destination, folder);
    }

    public string PartPath(int entry) => Path.Combine(_folder, Number(entry) + ".part");

    /// <summary>What a former try left: bytes begun, and entries that were verified.</summary>
    public Acceptance Survey(Offer offer)
    {
        var partial = new Dictionary<int, long>();
        var whole = new HashSet<int>();
        for (int i = 0; i < offer.Entries.Count; i++)
        {
            OfferEntry entry = offer.Entries[i];
            if (entry.Kind == EntryKind.Folder || File.Exists(WholePath(i)) || File.Exists(TreePath(offer, entry)))
            {
                whole.Add(i);
            }
            else if (new FileInfo(PartPath(i)) is { Exists: true, Length: > 0 } part && part.Length <= entry.Size)
            {
                partial.Add(i, part.Length);
            }
        }

        return new Acceptance(partial, whole);
    }

    /// <summary>Remembers that an entry, durable by now, is the one that was sent.</summary>
    public void MarkWhole(int entry) => File.Move(PartPath(entry), WholePath(entry), overwrite: true);

    /// <summary>Moves everything into place under a name that is free, makes that durable, and returns the path.</summary>
    public string Install(Offer offer)
    {
        string tree = Path.Combine(_folder, "tree");
        Directory.CreateDirectory(tree);
        for (int i = 0; i < offer.Entries.Count; i++)
        {
            Place(offer, i);
        }

        if (offer.IsFolder)
        {
            Directory.CreateDirectory(Path.Combine(tree, offer.Name));
        }

        FlushAll(tree);
        string installed = MoveToFreeName(Path.Combine(tree, offer.Name), _destination, offer.Name);
        DurableFolder.Flush(_destination);
        Discard();
        return installed;
    }

    /// <summary>Deletes what is kept of this transfer, and the folder of all if it was the last.</summary>
    public void Discard()
    {
        Directory.Delete(_folder, recursive: true);
        string all = Path.GetDirectoryName(_folder)!;
        if (!Directory.EnumerateFileSystemEntries(all).Any())
        {
            Directory.Delete(all);
        }
    }

    private static string Number(int entry) => entry.ToString(System.Globalization.CultureInfo.InvariantCulture);

    private string WholePath(int entry) => Path.Combine(_folder, Number(entry) + ".whole");

    private string TreePath(Offer offer, OfferEntry entry) => offer.IsFolder
        ? Path.Combine([_folder, "tree", offer.Name, .. entry.Path.Segments])
        : Path.Combine(_folder, "tree", offer.Name);

    private void Place(Offer offer, int index)
    {
        OfferEntry entry = offer.Entries[index];
        string target = TreePath(offer, entry);
        if (entry.Kind == EntryKind.Folder)
        {
            Directory.CreateDirectory(target);
            return;
        }

        string whole = WholePath(index);
        if (!File.Exists(whole))
        {
            return; // a try before this one moved it already
        }

        string folder = Path.GetDirectoryName(target)!;
        Directory.CreateDirectory(folder);
        File.SetLastWriteTimeUtc(whole, DateTimeOffset.FromUnixTimeMilliseconds(entry.Modified).UtcDateTime);
        if (entry.Kind == EntryKind.Executable && !OperatingSystem.IsWindows())
        {
            const UnixFileMode Readers = UnixFileMode.GroupRead | UnixFileMode.OtherRead | UnixFileMode.UserRead;
            UnixFileMode mode = File.GetUnixFileMode(whole);
            // Whoever may read it by our umask may run it.
            File.SetUnixFileMode(whole, mode | (UnixFileMode)((int)(mode & Readers) >> 2));
        }

        MoveToFreeName(whole, folder, Path.GetFileName(target));
    }

    /// <summary>Moves without ever replacing: <c>name.ext</c>, <c>name (2).ext</c> …</summary>
    private static string MoveToFreeName(string from, string folder, string name)
    {
        bool isFolder = Directory.Exists(from);
        string stem = isFolder ? name : Path.GetFileNameWithoutExtension(name);
        string extension = isFolder ? string.Empty : Path.GetExtension(name);
        for (int copy = 1; copy <= TransferLimits.MaxNameCopies; copy++)
        {
            string target = Path.Combine(folder, copy == 1 ? name : $"{stem} ({Number(copy)}){extension}");
            if (Path.Exists(target) || new FileInfo(target).LinkTarget is not null)
            {
                continue; // also a link that leads nowhere: it must not be replaced either
            }

            try
            {
                Move(from, target, isFolder);
                return target;
            }
            catch (IOException) when (Path.Exists(target))
            {
                // Somebody took the name in between: the next one.
            }
        }

        throw new IOException($"'{folder}' has {Number(TransferLimits.MaxNameCopies)} files of one name.");
    }

    private static void Move(string from, string to, bool isFolder)
    {
        if (isFolder)
        {
            Directory.Move(from, to);
        }
        else
        {
            File.Move(from, to, overwrite: false);
        }
    }

    private static void FlushAll(string folder)
    {
        foreach (string child in Directory.EnumerateDirectories(folder))
        {
            FlushAll(child);
        }

        DurableFolder.Flush(folder);
    }

    private static void CreatePrivate(string folder)
    {
        if (new DirectoryInfo(folder).LinkTarget is not null)
        {
            throw new IOException($"'{folder}' is a link; it must be a folder of its own.");
        }

        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(folder);
            return;
        }

        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    /// <summary>Bounds what senders who never came back leave behind.</summary>
    private static void Prune(string all, DateTime utcNow)
    {
        List<DirectoryInfo> byAge = [.. new DirectoryInfo(all).EnumerateDirectories().OrderByDescending(folder => folder.LastWriteTimeUtc)];
        for (int i = 0; i < byAge.Count; i++)
        {
            if (i + 1 >= TransferLimits.MaxPartialTransfers || utcNow - byAge[i].LastWriteTimeUtc > TransferLimits.PartialLifetime)
            {
                byAge[i].Delete(recursive: true);
            }
        }
    }
}
