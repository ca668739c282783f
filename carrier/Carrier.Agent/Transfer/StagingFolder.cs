using Carrier.Core.Storage;

namespace Carrier.Agent.Transfer;

/// <summary>Where one transfer is kept until it is whole: <c>DEST/.carrier-partial/TRANSFER-ID</c>. No name a peer chose is used before everything is verified.</summary>
/// <remarks>
/// <code>
///  0.part  1.whole  2.part …   entries by number: being received, or verified
///  tree/                       what is moved into place, made at the end of the verified entries
/// </code>
/// The finished file or folder reaches its place by one rename to a name that was free. Peer-chosen paths are only walked below <c>tree</c>, in a folder
/// of mode 0700 where nothing but folders made here exists. Both folders are held open: whoever may write to DEST can rename them and put links
/// in their places, but not have anything written elsewhere.
/// </remarks>
internal sealed class StagingFolder : IDisposable
{
    private readonly string _destination;
    private readonly string _name;
    private readonly HeldFolder _all;
    private readonly HeldFolder _folder;

    private StagingFolder(string destination, string name, HeldFolder all, HeldFolder folder)
    {
        _destination = destination;
        _name = name;
        _all = all;
        _folder = folder;
    }

    /// <summary>Opens the transfer's folder, new or as it was left, and lets go of transfers nobody came back to.</summary>
    /// <exception cref="IOException">The folder cannot be made, or a link stands in its place.</exception>
    public static StagingFolder Open(string destination, TransferId id, DateTime utcNow)
    {
        Directory.CreateDirectory(destination);
        HeldFolder all = HeldFolder.Open(Path.Combine(destination, EntryPath.StagingName));
        try
        {
            string name = id.ToString();
            string path = Path.Combine(all.Path, name);
            if (!Directory.Exists(path))
            {
                Prune(all.Path, utcNow);
            }

            HeldFolder folder = HeldFolder.Open(path);
            Directory.SetLastWriteTimeUtc(path, utcNow);
            return new StagingFolder(destination, name, all, folder);
        }
        catch (Exception)
        {
            all.Dispose();
            throw;
        }
    }

    public string PartPath(int entry) => Path.Combine(_folder.Path, Number(entry) + ".part");

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
        string tree = Path.Combine(_folder.Path, "tree");
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
        Directory.Delete(Path.Combine(_all.Path, _name), recursive: true);
        if (Directory.EnumerateFileSystemEntries(_all.Path).Any())
        {
            return;
        }

        try
        {
            Directory.Delete(Path.Combine(_destination, EntryPath.StagingName));
        }
        catch (IOException)
        {
            // Somebody put something else in its place: that is not ours to delete.
        }
    }

    public void Dispose()
    {
        _folder.Dispose();
        _all.Dispose();
    }

    private static string Number(int entry) => entry.ToString(System.Globalization.CultureInfo.InvariantCulture);

    private string WholePath(int entry) => Path.Combine(_folder.Path, Number(entry) + ".whole");

    private string TreePath(Offer offer, OfferEntry entry) => offer.IsFolder
        ? Path.Combine([_folder.Path, "tree", offer.Name, .. entry.Path.Segments])
        : Path.Combine(_folder.Path, "tree", offer.Name);

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
