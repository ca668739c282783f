using System.Diagnostics;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace Carrier.Agent.Transfer;

/// <summary>One entry being received: writes and hashes at one time, and makes what was written durable now and then without stopping either.</summary>
/// <remarks>One caller at a time. A failed flush is final: the kernel may have dropped the pages, so the file is not trusted again and deleted.</remarks>
internal sealed class PartFile : IAsyncDisposable
{
    private readonly string _path;
    private readonly SafeFileHandle _handle;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly TimeProvider _time;
    private Task _prefix = Task.CompletedTask;
    private Task<long>? _flush;
    private long _flushFrom;
    private long _flushedAt;

    private PartFile(string path, SafeFileHandle handle, long length, TimeProvider time)
    {
        _path = path;
        _handle = handle;
        _time = time;
        Length = length;
        _flushFrom = length;
        _flushedAt = time.GetTimestamp();
    }

    public long Length { get; private set; }

    /// <summary>Opens or creates the file and cuts it to <paramref name="keep"/> bytes, whose hashing begins at once.</summary>
    public static PartFile Open(string path, long keep, TimeProvider time)
    {
        SafeFileHandle? handle = null;
        try
        {
            handle = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            if (RandomAccess.GetLength(handle) != keep)
            {
                RandomAccess.SetLength(handle, keep);
            }

            var file = new PartFile(path, handle, keep, time);
            file._prefix = keep == 0 ? Task.CompletedTask : Task.Run(() => file.HashPrefix(keep));
            return file;
        }
        catch (IOException e)
        {
            handle?.Dispose();
            throw TransferException.OfDisk(e);
        }
    }

    /// <summary>Adds a block, which is the caller's again when this returns. Returns the bytes newly known to be durable, or null.</summary>
    public async ValueTask<long?> AppendAsync(ReadOnlyMemory<byte> block)
    {
        await _prefix.ConfigureAwait(false);
        Task hashing = Task.Run(() => _hash.AppendData(block.Span));
        try
        {
            RandomAccess.Write(_handle, block.Span, Length);
        }
        catch (IOException e)
        {
            throw TransferException.OfDisk(e);
        }
        finally
        {
            await hashing.ConfigureAwait(false);
        }

        Length += block.Length;
        return await TurnFlushAsync().ConfigureAwait(false);
    }

    /// <summary>Makes the whole file durable and returns its SHA-256.</summary>
    public async ValueTask<byte[]> FinishAsync()
    {
        await _prefix.ConfigureAwait(false);
        if (_flush is not null)
        {
            await _flush.ConfigureAwait(false);
        }

        await Task.Run(FlushToDisk).ConfigureAwait(false);
        return _hash.GetHashAndReset();
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_prefix, _flush ?? Task.CompletedTask).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _handle.Dispose();
        _hash.Dispose();
    }

    private async ValueTask<long?> TurnFlushAsync()
    {
        long? durable = null;
        if (_flush is { IsCompleted: true })
        {
            durable = await _flush.ConfigureAwait(false);
            _flush = null;
        }

        bool due = Length - _flushFrom >= TransferLimits.FlushBytes || _time.GetElapsedTime(_flushedAt) >= TransferLimits.FlushInterval;
        if (_flush is null && due && Length > _flushFrom)
        {
            _flushFrom = Length;
            _flushedAt = _time.GetTimestamp();
            _flush = Task.Run(FlushToDisk);
        }

        return durable;
    }

    private long FlushToDisk()
    {
        long length = Length;
        try
        {
            RandomAccess.FlushToDisk(_handle);
            return length;
        }
        catch (IOException e)
        {
            File.Delete(_path);
            throw TransferException.OfDisk(e);
        }
    }

    private void HashPrefix(long length)
    {
        byte[] block = GC.AllocateUninitializedArray<byte>(TransferLimits.MaxChunkBytes);
        for (long at = 0; at < length;)
        {
            int read = RandomAccess.Read(_handle, block.AsSpan(0, (int)Math.Min(block.Length, length - at)), at);
            if (read == 0)
            {
                throw new TransferException(FailureReason.DiskError, new UnreachableException("A file we hold alone grew shorter."));
            }

            _hash.AppendData(block.AsSpan(0, read));
            at += read;
        }
    }
}
