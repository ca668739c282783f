namespace Carrier.Core.Storage;

/// <summary>The five steps of a durable replacement, so that tests can fail or crash each one. In the field it is always <see cref="DiskFileSystem"/>.</summary>
internal interface IFileSystem
{
    /// <summary>Creates a file that must not exist, readable and writable by its owner only.</summary>
    INewFile CreateNew(string path);

    /// <summary>Puts <paramref name="from"/> in the place of <paramref name="to"/> in one step.</summary>
    void Rename(string from, string to);

    /// <summary>Makes the names in a folder durable.</summary>
    void FlushFolder(string folder);

    void Delete(string path);
}

/// <summary>A file being written for the first time.</summary>
internal interface INewFile : IDisposable
{
    void Write(ReadOnlySpan<byte> contents);

    /// <summary>Makes the contents durable (fsync).</summary>
    void Flush();
}
