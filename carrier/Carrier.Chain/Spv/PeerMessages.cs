using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using Carrier.Chain.Primitives;

namespace Carrier.Chain.Spv;

/// <summary>Payloads of the peer protocol that a thin client and the devnet it is tested with write and read; numbers are little-endian.</summary>
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

    /// <summary>Hashes of one locator: they thin out so fast that honest ones have a few dozen.</summary>
    public const int MaxLocator = 500;

    /// <summary>Longest item added to a filter, as in BIP 37.</summary>
    public const int MaxFilterItemBytes = 520;

    private const int HeightAt = 26;
    private const int VersionBytes = 35;

    public static byte[] Version(uint time, ulong nonce, ulong height, ushort port = 0, ulong services = 0, bool relays = false)
    {
        var writer = new ByteWriter();
        writer.WriteUInt32(ProtocolVersion);
        writer.WriteUInt64(services);
        writer.WriteUInt32(time);
        writer.WriteUInt16(port);
        writer.WriteUInt64(nonce);
        writer.WriteUInt64(height);
        writer.WriteByte(relays ? (byte)1 : (byte)0);
        return writer.ToArray();
    }

    /// <summary>Reads what a peer says of itself; later versions append fields.</summary>
    public static bool TryReadVersion(ReadOnlySpan<byte> payload, out PeerVersion version)
    {
        version = default;
        var reader = new ByteReader(payload);
        if (payload.Length < VersionBytes || !reader.TryReadUInt32(out uint number)
            || !reader.TryReadSpan(HeightAt - sizeof(uint), out _) || !reader.TryReadUInt64(out ulong height) || !reader.TryReadByte(out byte relays))
        {
            return false;
        }

        version = new PeerVersion(number, height, relays != 0);
        return true;
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

    /// <summary>Reads a filter; lists of transaction types, which no recorded session has, are refused.</summary>
    public static bool TryReadFilterLoad(ReadOnlySpan<byte> payload, [NotNullWhen(true)] out BloomFilter? filter)
    {
        filter = null;
        var reader = new ByteReader(payload);
        return reader.TryReadBytes(BloomFilter.MaxBytes, out ReadOnlySpan<byte> bits)
            && reader.TryReadUInt32(out uint functions) && reader.TryReadUInt32(out uint tweak)
            && reader.TryReadByte(out _) && reader.TryReadVarint(out ulong types) && types == 0 && reader.AtEnd
            && BloomFilter.TryFrom(bits, functions, tweak, out filter);
    }

    public static byte[] FilterAdd(ReadOnlySpan<byte> item)
    {
        var writer = new ByteWriter();
        writer.WriteBytes(item);
        return writer.ToArray();
    }

    /// <summary>Reads an item to add; a view.</summary>
    public static bool TryReadFilterAdd(ReadOnlySpan<byte> payload, out ReadOnlySpan<byte> item)
    {
        var reader = new ByteReader(payload);
        return reader.TryReadBytes(MaxFilterItemBytes, out item) && reader.AtEnd;
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

    /// <summary>Reads which blocks a peer knows, the newest first, and where it wants to stop (zero: nowhere).</summary>
    public static bool TryReadGetBlocks(ReadOnlySpan<byte> payload, out ImmutableArray<Hash256> locator, out Hash256 stop)
    {
        locator = [];
        stop = default;
        var reader = new ByteReader(payload);
        if (!reader.TryReadUInt32(out uint count) || count > MaxLocator || reader.Remaining != (count + 1) * Hash256.Bytes)
        {
            return false;
        }

        var read = ImmutableArray.CreateBuilder<Hash256>((int)count);
        for (uint i = 0; i < count; i++)
        {
            _ = reader.TryReadHash(out Hash256 hash);
            read.Add(hash);
        }

        locator = read.MoveToImmutable();
        return reader.TryReadHash(out stop);
    }

    public static byte[] Inventory(InventoryKind kind, params IReadOnlyCollection<Hash256> hashes) => Inventory([.. hashes.Select(hash => (kind, hash))]);

    public static byte[] Inventory(IReadOnlyCollection<(InventoryKind Kind, Hash256 Hash)> items)
    {
        ArgumentNullException.ThrowIfNull(items);
        var writer = new ByteWriter();
        writer.WriteUInt32((uint)items.Count);
        foreach ((InventoryKind kind, Hash256 hash) in items)
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

    public static byte[] Reject(in PeerReject reject)
    {
        var writer = new ByteWriter();
        writer.WriteBytes(Encoding.ASCII.GetBytes(reject.Command));
        writer.WriteByte(reject.Code);
        writer.WriteBytes(Encoding.UTF8.GetBytes(reject.Reason));
        writer.WriteHash(reject.Hash);
        return writer.ToArray();
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

        reject = new PeerReject(Encoding.ASCII.GetString(command), code, Encoding.UTF8.GetString(reason), hash);
        return true;
    }
}

/// <summary>What a peer says of itself.</summary>
/// <param name="Number">The protocol version it speaks.</param>
/// <param name="Height">Of its tip. Hearsay.</param>
/// <param name="Relays">Whether it wants to hear of every transaction.</param>
public readonly record struct PeerVersion(uint Number, ulong Height, bool Relays);

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
