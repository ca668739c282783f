namespace Carrier.Core.Storage;

/// <summary>Makes the names in a folder durable: a file that was created, renamed or deleted there stays so after the machine stops.</summary>
public static class DurableFolder
{
    /// <summary>Flushes the folder itself; the contents of its files are flushed by whoever wrote them. Nothing to do on Windows.</summary>
    /// <exception cref="IOException">The folder could not be opened or flushed.</exception>
    public static void Flush(string path) => DiskFileSystem.Instance.FlushFolder(path);
}
