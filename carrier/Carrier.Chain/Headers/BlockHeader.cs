using System.Buffers.Binary;
using Carrier.Chain.Primitives;

namespace Carrier.Chain.Headers;

/// <summary>The header of a block, without its proof of work. A value; the hash is computed, never believed.</summary>
/// <remarks>
/// <code>
///  0         4            36              68     72     76      80       84
///  +---------+------------+---------------+------+------+-------+--------+
///  | version | previous   | merkle root   | time | bits | nonce | height |   little-endian; block hash = SHA256d of these
///  +---------+------------+---------------+------+------+-------+--------+
/// </code>
/// The nonce proves nothing: the work is in the parent header of the merged-mining proof (<see cref="AuxPow"/>) that follows on the wire.
/// </remarks>
public readonly record struct BlockHeader(uint Version, Hash256 Previous, Hash256 MerkleRoot, uint Timestamp, uint Bits, uint Nonce, uint Height)
{
    public const int Bytes = 84;

    /// <summary>Byte that closes a header and its proof on the wire.</summary>
    public const byte Tail = 0x01;

    public Hash256 Hash
    {
        get
        {
            Span<byte> core = stackalloc byte[Bytes];
            CopyTo(core);
            return Hash256.DoubleSha256(core);
        }
    }

    /// <summary>Reads the first 84 bytes.</summary>
    public static bool TryRead(ReadOnlySpan<byte> core, out BlockHeader header)
    {
        if (core.Length < Bytes)
        {
            header = default;
            return false;
        }

        header = new BlockHeader(
            BinaryPrimitives.ReadUInt32LittleEndian(core),
            new Hash256(core[4..36]),
            new Hash256(core[36..68]),
            BinaryPrimitives.ReadUInt32LittleEndian(core[68..]),
            BinaryPrimitives.ReadUInt32LittleEndian(core[72..]),
            BinaryPrimitives.ReadUInt32LittleEndian(core[76..]),
            BinaryPrimitives.ReadUInt32LittleEndian(core[80..]));
        return true;
    }

    /// <summary>Reads a header with its proof: 84 bytes, the proof, the tail. The proof is a view.</summary>
    public static bool TryReadWithProof(ref ByteReader reader, out BlockHeader header, out ReadOnlySpan<byte> proof)
    {
        header = default;
        proof = default;
        if (!reader.TryReadSpan(Bytes, out ReadOnlySpan<byte> core) || !TryRead(core, out header))
        {
            return false;
        }

        int start = reader.Position;
        if (!AuxPow.TryRead(ref reader, out _))
        {
            return false;
        }

        proof = reader.Since(start);
        return reader.TryReadByte(out byte tail) && tail == Tail;
    }

    /// <summary>Writes the 84 bytes.</summary>
    public void CopyTo(Span<byte> core)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(core[80..], Height);
        BinaryPrimitives.WriteUInt32LittleEndian(core[76..], Nonce);
        BinaryPrimitives.WriteUInt32LittleEndian(core[72..], Bits);
        BinaryPrimitives.WriteUInt32LittleEndian(core[68..], Timestamp);
        MerkleRoot.CopyTo(core[36..]);
        Previous.CopyTo(core[4..]);
        BinaryPrimitives.WriteUInt32LittleEndian(core, Version);
    }
}
