using System.Buffers.Binary;
using Carrier.Chain.Blocks;
using Carrier.Core;

namespace Carrier.Devnet.Blocks;

/// <summary>A devnet's history: every block in the order it was connected, appended and flushed. Opening it plays the history again.</summary>
/// <remarks>
/// <code>
///  length 4 | block           a block was connected
///  0 4      | height 4        the chain was taken back to this height
/// </code>
/// Little-endian. A record cut off by a crash is dropped. One process at a time.
/// </remarks>
public sealed class BlockFile : IDisposable
{
    private readonly FileStream _file;

    private BlockFile(FileStream file) => _file = file;

    /// <summary>Opens or makes the file and brings <paramref name="chain"/> to where it was.</summary>
    /// <exception cref="InvalidDataException">A whole record is no block of this chain: the file belongs to another.</exception>
    public static BlockFile Open(string path, DevnetChain chain, UnixTime now)
    {
        ArgumentNullException.ThrowIfNull(chain);
        var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        try
        {
            long end = Play(file, chain, now);
            file.SetLength(end);
            file.Position = end;
            return new BlockFile(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public void Append(Block block)
    {
        ArgumentNullException.ThrowIfNull(block);
        byte[] encoded = block.Encode();
        WriteNumber((uint)encoded.Length);
        _file.Write(encoded);
        _file.Flush(flushToDisk: true);
    }

    public void AppendRewind(uint height)
    {
        WriteNumber(0);
        WriteNumber(height);
        _file.Flush(flushToDisk: true);
    }

    public void Dispose() => _file.Dispose();

    /// <summary>Brings a chain to where a history leads; the bytes of its whole records.</summary>
    /// <exception cref="InvalidDataException">A whole record is no block of this chain.</exception>
    internal static long Play(Stream history, DevnetChain chain, UnixTime now)
    {
        long end = 0;
        while (TryPlay(history, chain, now))
        {
            end = history.Position;
        }

        return end;
    }

    private static bool TryPlay(Stream file, DevnetChain chain, UnixTime now)
    {
        if (!TryReadNumber(file, out uint length) || length > Math.Min(Block.MaxBytes, file.Length - file.Position))
        {
            return false;
        }

        if (length == 0)
        {
            if (!TryReadNumber(file, out uint height))
            {
                return false;
            }

            chain.Rewind((int)(chain.Height - Math.Min(height, chain.Height)));
            return true;
        }

        byte[] encoded = new byte[length];
        file.ReadExactly(encoded);
        if (Block.TryParse(encoded, out Block? block) != BlockReading.Read
            || chain.Add(block!, now) is not (BlockVerdict.Connected or BlockVerdict.Side))
        {
            throw new InvalidDataException("The devnet's block file holds a block that is not of this chain.");
        }

        return true;
    }

    private static bool TryReadNumber(Stream file, out uint number)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        bool whole = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) == bytes.Length;
        number = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        return whole;
    }

    private void WriteNumber(uint number)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, number);
        _file.Write(bytes);
    }
}
