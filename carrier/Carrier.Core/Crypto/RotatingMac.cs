using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Carrier.Core.Crypto;

/// <summary>Proofs that only we can write and that die by themselves: a keyed BLAKE2b over an epoch and a message.</summary>
/// <remarks>
/// <code>
/// 0   low byte of the epoch
/// 1   15 bytes of BLAKE2b(secret, epoch 8 ‖ message)
/// </code>
/// A proof is taken in the epoch it was made in and the next one, so it lives between one and two epochs. The secret is of this run alone:
/// nothing written before a restart is taken after it. Other nodes never read the inside of a proof.
/// </remarks>
internal sealed unsafe class RotatingMac : IDisposable
{
    public const int Bytes = 16;

    /// <summary>Longest message any caller authenticates.</summary>
    public const int MaxMessageBytes = 96;

    private const int SecretBytes = 32;

    private readonly KeyMemory _secret = new(SecretBytes);
    private readonly TimeSpan _epochLength;

    public RotatingMac(RandomSource random, TimeSpan epochLength)
    {
        random.Fill(_secret.Span);
        _epochLength = epochLength;
    }

    /// <summary>Which epoch <paramref name="now"/> lies in.</summary>
    public long EpochAt(Instant now) => EpochAt(now, _epochLength);

    public static long EpochAt(Instant now, TimeSpan epochLength) => (now - Instant.Zero).Ticks / epochLength.Ticks;

    public void Write(Instant now, ReadOnlySpan<byte> message, Span<byte> proof) => Compute(EpochAt(now), message, proof[..Bytes]);

    public bool Verify(Instant now, ReadOnlySpan<byte> message, ReadOnlySpan<byte> proof)
    {
        if (proof.Length != Bytes)
        {
            return false;
        }

        long epoch = EpochAt(now);
        if ((byte)epoch != proof[0])
        {
            epoch--;
        }

        Span<byte> expected = stackalloc byte[Bytes];
        Compute(epoch, message, expected);
        return CryptographicOperations.FixedTimeEquals(expected, proof);
    }

    public void Dispose() => _secret.Dispose();

    private void Compute(long epoch, ReadOnlySpan<byte> message, Span<byte> proof)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(message.Length, MaxMessageBytes);
        Span<byte> input = stackalloc byte[sizeof(long) + MaxMessageBytes];
        BinaryPrimitives.WriteInt64BigEndian(input, epoch);
        message.CopyTo(input[sizeof(long)..]);
        Span<byte> hash = stackalloc byte[Bytes];
        fixed (byte* output = hash, source = input)
        {
            _ = Sodium.crypto_generichash(output, Bytes, source, (ulong)(sizeof(long) + message.Length), _secret.Pointer, SecretBytes);
        }

        GC.KeepAlive(_secret);
        hash.CopyTo(proof);
        proof[0] = (byte)epoch;
    }
}
