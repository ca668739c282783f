using System.Buffers.Binary;
using System.Numerics;

namespace Carrier.Core.Crypto;

/// <summary>Keccak-256 as it was before the standard changed its padding: what EIP-55 is defined with, and the platform does not have.</summary>
/// <remarks>The sponge of Bertoni, Daemen, Peeters and Van Assche over Keccak-f[1600] (FIPS 202 §3), rate 1088, pad10*1 alone.</remarks>
internal static class Keccak256
{
    public const int Bytes = 32;

    private const int RateBytes = 136;
    private const int Lanes = 25;

    private static ReadOnlySpan<ulong> RoundConstants =>
    [
        0x0000000000000001, 0x0000000000008082, 0x800000000000808A, 0x8000000080008000, 0x000000000000808B, 0x0000000080000001,
        0x8000000080008081, 0x8000000000008009, 0x000000000000008A, 0x0000000000000088, 0x0000000080008009, 0x000000008000000A,
        0x000000008000808B, 0x800000000000008B, 0x8000000000008089, 0x8000000000008003, 0x8000000000008002, 0x8000000000000080,
        0x000000000000800A, 0x800000008000000A, 0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
    ];

    /// <summary>Along the path that ρ and π take through the lanes together: by how much each is rotated, and where it goes.</summary>
    private static ReadOnlySpan<byte> Rotations => [1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44];

    private static ReadOnlySpan<byte> Destinations => [10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1];

    /// <summary>Writes the thirty-two bytes of the hash.</summary>
    public static void HashData(ReadOnlySpan<byte> data, Span<byte> hash)
    {
        Span<ulong> state = stackalloc ulong[Lanes];
        state.Clear();
        for (; data.Length >= RateBytes; data = data[RateBytes..])
        {
            Absorb(state, data[..RateBytes]);
        }

        Span<byte> last = stackalloc byte[RateBytes];
        last.Clear();
        data.CopyTo(last);
        last[data.Length] = 0x01;
        last[^1] |= 0x80;
        Absorb(state, last);
        for (int i = 0; i < Bytes / sizeof(ulong); i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(hash[(i * sizeof(ulong))..], state[i]);
        }
    }

    private static void Absorb(Span<ulong> state, ReadOnlySpan<byte> block)
    {
        for (int i = 0; i < RateBytes / sizeof(ulong); i++)
        {
            state[i] ^= BinaryPrimitives.ReadUInt64LittleEndian(block[(i * sizeof(ulong))..]);
        }

        foreach (ulong constant in RoundConstants)
        {
            Round(state, constant);
        }
    }

    private static void Round(Span<ulong> state, ulong constant)
    {
        Span<ulong> row = stackalloc ulong[5];
        for (int x = 0; x < 5; x++)
        {
            row[x] = state[x] ^ state[x + 5] ^ state[x + 10] ^ state[x + 15] ^ state[x + 20];
        }

        for (int lane = 0; lane < Lanes; lane++)
        {
            int x = lane % 5;
            state[lane] ^= row[(x + 4) % 5] ^ BitOperations.RotateLeft(row[(x + 1) % 5], 1);
        }

        ulong moved = state[1];
        for (int i = 0; i < Rotations.Length; i++)
        {
            (moved, state[Destinations[i]]) = (state[Destinations[i]], BitOperations.RotateLeft(moved, Rotations[i]));
        }

        for (int y = 0; y < Lanes; y += 5)
        {
            state.Slice(y, 5).CopyTo(row);
            for (int x = 0; x < 5; x++)
            {
                state[y + x] ^= ~row[(x + 1) % 5] & row[(x + 2) % 5];
            }
        }

        state[0] ^= constant;
    }
}
