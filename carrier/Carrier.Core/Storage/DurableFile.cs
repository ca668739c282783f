namespace Carrier.Core.Storage;

/// <summary>Small files that must survive a crash whole: keys, counters, state. A replacement is old or new at every moment, never between.</summary>
/// <remarks>
/// The order is the whole of it: write a new file beside the old (mode 0600), flush it, rename it over the old, flush the folder. A failed flush is an
/// error and is never tried again: the kernel may have dropped the pages and would report success (PostgreSQL's lesson of 2018).
/// One process writes a given file at a time. Calls block; they belong to the shell and never to the network thread.
/// </remarks>
public static class DurableFile
{
    private const string LeftoverPattern = ".*.new";

    /// <summary>Replaces or creates <paramref name="path"/>; when it returns, the contents are on disk.</summary>
    /// <exception cref="IOException">A step failed. The file is still the old one, unless only the folder's flush failed: then it is the new one and may
    /// fall back to the old if the machine stops.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder cannot be written to.</exception>
    public static void Write(string path, ReadOnlySpan<byte> contents) => Write(DiskFileSystem.Instance, path, contents);

    /// <summary>Reads a file of at most <paramref name="maxBytes"/>. The bytes are the caller's, to zero if they are secret.</summary>
    public static FileReading TryRead(string path, int maxBytes, out byte[] contents)
    {
        contents = [];
        FileStream stream;
        try
        {
            stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return FileReading.Missing;
        }

        using (stream)
        {
            // The length a file states is where the buffer begins, not what it is trusted for: it grows while there is more, up to one byte too many.
            long stated = stream.CanSeek ? stream.Length : 0;
            byte[] buffer = new byte[(int)Math.Min(stated, maxBytes) + 1];
            int length = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
            while (length == buffer.Length && length <= maxBytes)
            {
                byte[] longer = new byte[(int)Math.Min(2L * length, maxBytes + 1L)];
                buffer.CopyTo(longer, 0);
                Array.Clear(buffer);
                buffer = longer;
                length += stream.ReadAtLeast(buffer.AsSpan(length), buffer.Length - length, throwOnEndOfStream: false);
            }

            contents = length <= maxBytes ? buffer[..length] : [];
            Array.Clear(buffer);
            return length <= maxBytes ? FileReading.Read : FileReading.TooLong;
        }
    }

    /// <summary>Deletes what writers that were killed left in <paramref name="folder"/>. Call it at start, when no other process writes there.</summary>
    public static void CleanLeftovers(string folder)
    {
        foreach (string leftover in Directory.EnumerateFiles(folder, LeftoverPattern))
        {
            File.Delete(leftover);
        }
    }

    internal static void Write(IFileSystem files, string path, ReadOnlySpan<byte> contents)
    {
        string target = Path.GetFullPath(path);
        string folder = Path.GetDirectoryName(target) ?? throw new ArgumentException("A file has a folder.", nameof(path));
        // A name of its own for each writer: two of them can then lose an update, but never mix their bytes.
        string replacement = Path.Combine(folder, $".{Path.GetFileName(target)}.{Path.GetRandomFileName()}.new");
        bool renamed = false;
        try
        {
            using (INewFile file = files.CreateNew(replacement))
            {
                file.Write(contents);
                file.Flush();
            }

            files.Rename(replacement, target);
            renamed = true;
            files.FlushFolder(folder);
        }
        finally
        {
            if (!renamed)
            {
                TryDelete(files, replacement);
            }
        }
    }

    private static void TryDelete(IFileSystem files, string path)
    {
        try
        {
            files.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The failure that led here is the one to report; what stays behind is cleaned at the next start.
        }
    }
}

/// <summary>What <see cref="DurableFile.TryRead"/> found.</summary>
public enum FileReading
{
    Read,
    Missing,
    TooLong,
}
