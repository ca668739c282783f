using System.Diagnostics.CodeAnalysis;
using System.Text;
using NSec.Cryptography;

namespace Carrier.Core.Identity;

/// <summary>What opens a keystore: a passphrase somebody types, or an unlock key kept in a file beside it so that an agent starts by itself.</summary>
/// <remarks>
/// The two are different locks of the format, not two costs of one lock: a passphrase is always stretched at the full cost, and 32 random bytes need no
/// stretching. A keystore under an unlock key is as safe as the unlock key's file (mode 0600 in a folder of mode 0700), and says so by its lock.
/// </remarks>
public sealed class KeystoreSecret : IDisposable
{
    public const int UnlockKeyBytes = 32;

    /// <summary>Longest passphrase, in bytes of UTF-8.</summary>
    public const int MaxPassphraseBytes = 1024;

    private readonly SecretBytes _bytes;

    private KeystoreSecret(KeystoreLock kind, SecretBytes bytes)
    {
        Lock = kind;
        _bytes = bytes;
    }

    public KeystoreLock Lock { get; }

    /// <summary>Takes the passphrase as typed, in UTF-8; an empty one is no passphrase and is refused.</summary>
    public static KeystoreSecret FromPassphrase(ReadOnlySpan<char> passphrase)
    {
        if (passphrase.IsEmpty)
        {
            throw new ArgumentException("An empty passphrase protects nothing: use an unlock key.", nameof(passphrase));
        }

        int length = Encoding.UTF8.GetByteCount(passphrase);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, MaxPassphraseBytes, nameof(passphrase));
        var bytes = new SecretBytes(length);
        Encoding.UTF8.GetBytes(passphrase, bytes.Span);
        return new KeystoreSecret(KeystoreLock.Passphrase, bytes);
    }

    public static KeystoreSecret GenerateUnlockKey(RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(random);
        var bytes = new SecretBytes(UnlockKeyBytes);
        random.Fill(bytes.Span);
        return new KeystoreSecret(KeystoreLock.UnlockKey, bytes);
    }

    /// <summary>Takes the contents of an unlock key's file; false unless there are exactly 32 bytes.</summary>
    public static bool TryFromUnlockKey(ReadOnlySpan<byte> unlockKey, [NotNullWhen(true)] out KeystoreSecret? secret)
    {
        secret = unlockKey.Length == UnlockKeyBytes ? new KeystoreSecret(KeystoreLock.UnlockKey, new SecretBytes(unlockKey)) : null;
        return secret is not null;
    }

    /// <summary>Copies out the 32 bytes of an unlock key, for its file; the caller zeroes its copy.</summary>
    public void CopyUnlockKeyTo(Span<byte> destination)
    {
        if (Lock != KeystoreLock.UnlockKey)
        {
            throw new InvalidOperationException("A passphrase is not written to disk.");
        }

        _bytes.Span.CopyTo(destination);
    }

    public void Dispose() => _bytes.Dispose();

    /// <summary>The key of the seal. <paramref name="cost"/> and <paramref name="salt"/> matter to a passphrase only.</summary>
    internal Key DeriveKey(KeystoreCost cost, ReadOnlySpan<byte> salt)
    {
        if (Lock == KeystoreLock.UnlockKey)
        {
            return Key.Import(AeadAlgorithm.XChaCha20Poly1305, _bytes.Span, KeyBlobFormat.RawSymmetricKey);
        }

        var parameters = new Argon2Parameters { DegreeOfParallelism = 1, MemorySize = cost.MemoryKiB, NumberOfPasses = cost.Passes };
        return PasswordBasedKeyDerivationAlgorithm.Argon2id(parameters).DeriveKey(_bytes.Span, salt, AeadAlgorithm.XChaCha20Poly1305);
    }
}

/// <summary>Which kind of <see cref="KeystoreSecret"/> opens a keystore.</summary>
public enum KeystoreLock
{
    Passphrase = 1,
    UnlockKey = 2,
}

/// <summary>What one guess of a passphrase costs: Argon2id (RFC 9106), one lane.</summary>
internal readonly record struct KeystoreCost(int MemoryKiB, int Passes)
{
    /// <summary>What is written, and the least that is read: 64 MiB and three passes, 0.12 s where this was measured.</summary>
    public static readonly KeystoreCost Standard = new(64 * 1024, 3);

    /// <summary>The most that is read: a file is not to be believed about how much memory it wants.</summary>
    public static readonly KeystoreCost Most = new(256 * 1024, 16);

    public bool IsTooLow => MemoryKiB < Standard.MemoryKiB || Passes < Standard.Passes;

    public bool IsTooHigh => MemoryKiB > Most.MemoryKiB || Passes > Most.Passes;
}
