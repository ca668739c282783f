using System.Buffers.Binary;
using System.Security.Cryptography;
using Carrier.Core;

namespace Carrier.Tests.Identity;

/// <summary>Bytes that golden vectors are made of and any language can make again: SHA-256 of a seed and a counter.</summary>
internal sealed class HashedRandom(int seed) : RandomSource
{
    private int _block;

    public override void Fill(Span<byte> destination)
    {
        Span<byte> input = stackalloc byte[2 * sizeof(int)];
        Span<byte> block = stackalloc byte[SHA256.HashSizeInBytes];
        while (!destination.IsEmpty)
        {
            BinaryPrimitives.WriteInt32BigEndian(input, seed);
            BinaryPrimitives.WriteInt32BigEndian(input[sizeof(int)..], _block++);
            SHA256.HashData(input, block);
            int taken = Math.Min(block.Length, destination.Length);
            block[..taken].CopyTo(destination);
            destination = destination[taken..];
        }
    }
}
