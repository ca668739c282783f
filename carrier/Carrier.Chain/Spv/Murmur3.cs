using System.Buffers.Binary;
using System.Numerics;

namespace Carrier.Chain.Spv;

/// <summary>MurmurHash3 x86 32-bit (Appleby 2011): what bloom filters of the peer protocol are made of.</summary>
internal static class Murmur3
{
    private const uint C1 = 0xCC9E_2D51;
    private const uint C2 = 0x1B87_3593;

    public static uint Hash(uint seed, ReadOnlySpan<byte> data)
    {
        uint hash = seed;
        uint length = (uint)data.Length;
        for (; data.Length >= sizeof(uint); data = data[sizeof(uint)..])
        {
            hash ^= Scramble(BinaryPrimitives.ReadUInt32LittleEndian(data));
            hash = unchecked((BitOperations.RotateLeft(hash, 13) * 5) + 0xE654_6B64);
        }

        uint tail = 0;
        for (int i = data.Length - 1; i >= 0; i--)
        {
            tail = (tail << 8) | data[i];
        }

        hash ^= Scramble(tail);
        hash ^= length;
        hash = unchecked((hash ^ (hash >> 16)) * 0x85EB_CA6B);
        hash = unchecked((hash ^ (hash >> 13)) * 0xC2B2_AE35);
        return hash ^ (hash >> 16);
    }

    private static uint Scramble(uint word) => unchecked(BitOperations.RotateLeft(word * C1, 15) * C2);
}
