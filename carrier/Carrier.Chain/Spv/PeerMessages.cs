using System.Collections.Immutable;
using Carrier.Chain.Primitives;

namespace Carrier.Chain.Spv;

/// <summary>Payloads of the peer protocol that a thin client writes and reads; numbers are little-endian.</summary>
/// <remarks>
/// <code>
///  version     version 4 | services 8 | time 4 | port 2 | nonce 8 | height 8 | relay 1 [ more in later versions ]
///  ping, pong  the sender's height 8
///  filterload  bytes filter | hash functions 4 | tweak 4 | flags 1 | varint count of transaction types (0)
///  getblocks   count 4 × hash 32 | stop hash 32
///  inv, getdata, notfound   count 4 × ( type 4 | hash 32 )
///  reject      bytes command | code 1 | bytes reason | hash 32
/// </code>
/// </remarks>
public static class PeerMessages
{
    /// <summary>The protocol version this client speaks.</summary>
    public const uint ProtocolVersion = 20_000;

    /// <summary>Items of one inventory: nodes list 500 blocks at a time; a pool may be larger.</summary>
    public const int MaxInventory = 50_000;

    private const int VersionBytes = 35;

    public static byte[] Version(uint time, ulong nonce, ulong height, ushort port = 0)
    {
        var writer = new ByteWriter();
        writer.WriteUInt32(ProtocolVersion);
        writer.WriteUInt64(0);
        writer.WriteUInt32(time);
        writer.WriteUInt16(port);
        writer.WriteUInt64(nonce);
        writer.WriteUInt64(height);
        writer.WriteByte(0);
        return writer.ToArray();
    }

    /// <summary>Reads the height a peer's version announces; later versions append fields.</summary>
    public static bool TryReadVersion(ReadOnlySpan<byte> payload, out uint version, out ulong height)
    {
        height = 0;
        var reader = new ByteReader(payload);
        return reader.TryReadUInt32(out version) && payload.Length >= VersionBytes
            && reader.TryReadUInt64(out _) && reader.TryReadUInt32(out _) && reader.TryReadUInt16(out _) && reader.TryReadUInt64(out _) && reader.TryReadUInt64(out height);
    }

    public static byte[] Ping(ulong height)
    {
        var writer = new ByteWriter();
        writer.WriteUInt64(height);
        return writer.ToArray();
    }

    public static bool TryReadPing(ReadOnlySpan<byte> payload, out ulong height)
    {
        var reader = new ByteReader(payload);
        return reader.TryReadUInt64(out height) && reader.AtEnd;
    }

    public static byte[] FilterLoad(BloomFilter filter)
    {
        ArgumentNullException.ThrowIfNull(filter);
        var writer = new ByteWriter();
        writer.WriteBytes(filter.Bits);
        writer.WriteUInt32(filter.HashFunctions);
        writer.WriteUInt32(filter.Tweak);
        writer.WriteByte(0);
        writer.WriteVarint(0);
        return writer.ToArray();
    }

    public static byte[] FilterAdd(ReadOnlySpan<byte> item)
    {
        var writer = new ByteWriter();
        writer.WriteBytes(item);
        return writer.ToArray();
    }

    public static byte[] GetBlocks(IReadOnlyCollection<Hash256> locator, Hash256 stop)
    {
        ArgumentNullException.ThrowIfNull(locator);
        var writer = new ByteWriter();
        writer.WriteUInt32((uint)locator.Count);
        foreach (Hash256 hash in locator)
        {
            writer.WriteHash(hash);
        }

        writer.WriteHash(stop);
        return writer.ToArray();
    }

    public static byte[] Inventory(InventoryKind kind, params IReadOnlyCollection<Hash256> hashes)
    {
        ArgumentNullException.ThrowIfNull(hashes);
        var writer = new ByteWriter();
        writer.WriteUInt32((uint)hashes.Count);
        foreach (Hash256 hash in hashes)
        {
            writer.WriteUInt32((uint)kind);
            writer.WriteHash(hash);
        }

        return writer.ToArray();
    }

    /// <summary>Reads inv, getdata or notfound.</summary>
    public static bool TryReadInventory(ReadOnlySpan<byte> payload, out ImmutableArray<(InventoryKind Kind, Hash256 Hash)> items)
    {
        items = [];
        var reader = new ByteReader(payload);
        if (!reader.TryReadUInt32(out uint count) || count > MaxInventory || reader.Remaining != count * (sizeof(uint) + Hash256.Bytes))
        {
            return false;
        }

        var read = ImmutableArray.CreateBuilder<(InventoryKind, Hash256)>((int)count);
        for (uint i = 0; i < count; i++)
        {
            _ = reader.TryReadUInt32(out uint kind);
            _ = reader.TryReadHash(out Hash256 hash);
            read.Add(((InventoryKind)kind, hash));
        }

        items = read.MoveToImmutable();
        return true;
    }

    /// <summary>Reads why a peer refused something.</summary>
    public static bool TryReadReject(ReadOnlySpan<byte> payload, out PeerReject reject)
    {
        const int MaxReasonBytes = 4_096;
        reject = default;
        var reader = new ByteReader(payload);
        if (!reader.TryReadBytes(PeerFrame.CommandBytes, out ReadOnlySpan<byte> command) || !reader.TryReadByte(out byte code)
            || !reader.TryReadBytes(MaxReasonBytes, out ReadOnlySpan<byte> reason) || !reader.TryReadHash(out Hash256 hash) || !reader.AtEnd)
        {
            return false;
        }

        reject = new PeerReject(System.Text.Encoding.ASCII.GetString(command), code, System.Text.Encoding.UTF8.GetString(reason), hash);
        return true;
    }
}

/// <summary>What an inventory item is.</summary>
public enum InventoryKind
{
    None = 0,
    Transaction = 1,
    Block = 2,
    FilteredBlock = 3,
    ConfirmedBlock = 4,
}

/// <summary>A refusal. The reason is the peer's text: show it escaped.</summary>
public readonly record struct PeerReject(string Command, byte Code, string Reason, Hash256 Hash);
