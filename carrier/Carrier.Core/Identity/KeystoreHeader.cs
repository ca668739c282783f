using Carrier.Core.Wire;

namespace Carrier.Core.Identity;

/// <summary>What stands in clear before a keystore's ciphertext: how it is locked. Its layout is <see cref="Keystore"/>'s.</summary>
internal readonly ref struct KeystoreHeader
{
    public const int Version = 1;
    public const int SaltBytes = 16;
    public const int NonceBytes = 24;
    public const int MaxBytes = 80;

    public required KeystoreLock Lock { get; init; }

    public required ReadOnlySpan<byte> Nonce { get; init; }

    /// <summary>Empty under an unlock key.</summary>
    public ReadOnlySpan<byte> Salt { get; init; }

    /// <summary>Zero under an unlock key.</summary>
    public KeystoreCost Cost { get; init; }

    public void Write(ref CborWriter writer)
    {
        bool stretched = Lock == KeystoreLock.Passphrase;
        writer.WriteMap(stretched ? 6 : 3);
        writer.WriteUInt(0);
        writer.WriteUInt(Version);
        writer.WriteUInt(1);
        writer.WriteUInt((ulong)Lock);
        writer.WriteUInt(2);
        writer.WriteBytes(Nonce);
        if (stretched)
        {
            writer.WriteUInt(3);
            writer.WriteBytes(Salt);
            writer.WriteUInt(4);
            writer.WriteUInt((ulong)Cost.MemoryKiB);
            writer.WriteUInt(5);
            writer.WriteUInt((ulong)Cost.Passes);
        }
    }

    /// <summary>Reads a header; <see cref="KeystoreOpening.Opened"/> says that it was read and asks for nothing unreasonable.</summary>
    public static KeystoreOpening Read(scoped ref CborReader reader, out KeystoreHeader header)
    {
        header = default;
        if (!reader.TryReadMap(out int pairs) || !reader.TryReadKey(0) || !reader.TryReadUInt(out ulong version))
        {
            return KeystoreOpening.Corrupt;
        }

        if (version != Version)
        {
            return KeystoreOpening.Unsupported;
        }

        if (!reader.TryReadKey(1) || !reader.TryReadUInt(out ulong kind)
            || !reader.TryReadKey(2) || !reader.TryReadBytes(NonceBytes, out ReadOnlySpan<byte> nonce))
        {
            return KeystoreOpening.Corrupt;
        }

        switch (kind)
        {
            case (ulong)KeystoreLock.UnlockKey when pairs == 3:
                header = new KeystoreHeader { Lock = KeystoreLock.UnlockKey, Nonce = nonce };
                return KeystoreOpening.Opened;
            case (ulong)KeystoreLock.Passphrase when pairs == 6:
                return ReadStretching(ref reader, nonce, out header);
            default:
                return KeystoreOpening.Unsupported;
        }
    }

    private static KeystoreOpening ReadStretching(scoped ref CborReader reader, ReadOnlySpan<byte> nonce, out KeystoreHeader header)
    {
        header = default;
        if (!reader.TryReadKey(3) || !reader.TryReadBytes(SaltBytes, out ReadOnlySpan<byte> salt)
            || !reader.TryReadKey(4) || !reader.TryReadUInt(out ulong memoryKiB)
            || !reader.TryReadKey(5) || !reader.TryReadUInt(out ulong passes))
        {
            return KeystoreOpening.Corrupt;
        }

        var cost = new KeystoreCost((int)Math.Min(memoryKiB, int.MaxValue), (int)Math.Min(passes, int.MaxValue));
        if (cost.IsTooHigh)
        {
            return KeystoreOpening.TooCostly;
        }

        header = new KeystoreHeader { Lock = KeystoreLock.Passphrase, Nonce = nonce, Salt = salt, Cost = cost };
        return cost.IsTooLow ? KeystoreOpening.Unsupported : KeystoreOpening.Opened;
    }
}
