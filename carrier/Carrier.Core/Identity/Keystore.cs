using Carrier.Core.Wire;
using NSec.Cryptography;
using Sha256 = Carrier.Core.Crypto.Sha256;

namespace Carrier.Core.Identity;

/// <summary>Turns secrets into the bytes of a key file and back. Pure: reading and writing the file is <see cref="Storage.DurableFile"/>'s.</summary>
/// <remarks>
/// <code>
///  0            8                            n                    end-8
///  +------------+----------------------------+--------------------+----------+
///  | "CARRKEYS" | header, CBOR map           | ciphertext ‖ tag 16 | checksum |
///  +------------+----------------------------+--------------------+----------+
///  \------------- associated data ----------/                      8 bytes of SHA-256 of all before it
///
///  header   0  version     uint      1
///           1  lock        uint      1 passphrase, 2 unlock key
///           2  nonce       bytes 24
///           3  salt        bytes 16  lock 1 only, as are the next two
///           4  memory KiB  uint      65,536 … 262,144
///           5  passes      uint      3 … 16
/// </code>
/// Sealed by XChaCha20-Poly1305; the key is the unlock key itself, or Argon2id of the passphrase (one lane). The checksum keeps no secret: it tells a
/// damaged file from a wrong passphrase, and does so before any stretching.
/// </remarks>
public static class Keystore
{
    /// <summary>No keystore is longer; a longer file is not looked into.</summary>
    public const int MaxBytes = 8 + KeystoreHeader.MaxBytes + KeystoreContents.MaxBytes + TagBytes + ChecksumBytes;

    private const int TagBytes = 16;
    private const int ChecksumBytes = 8;

    private static ReadOnlySpan<byte> Magic => "CARRKEYS"u8;

    /// <summary>Seals <paramref name="contents"/>, which stay the caller's. A passphrase costs 64 MiB and three passes, here and for whoever guesses.</summary>
    public static byte[] Seal(KeystoreSecret secret, KeystoreContents contents, RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(random);
        Span<byte> nonceAndSalt = stackalloc byte[KeystoreHeader.NonceBytes + KeystoreHeader.SaltBytes];
        random.Fill(nonceAndSalt);
        return Seal(secret, contents, nonceAndSalt, KeystoreCost.Standard);
    }

    /// <summary>Opens a key file; <paramref name="contents"/> are the caller's to dispose.</summary>
    public static KeystoreOpening TryOpen(ReadOnlySpan<byte> file, KeystoreSecret secret, out KeystoreContents? contents)
    {
        ArgumentNullException.ThrowIfNull(secret);
        contents = null;
        KeystoreOpening reading = TryReadHeader(file, out KeystoreHeader header, out int headerEnd);
        if (reading != KeystoreOpening.Opened)
        {
            return reading;
        }

        if (header.Lock != secret.Lock)
        {
            return header.Lock == KeystoreLock.Passphrase ? KeystoreOpening.NeedsPassphrase : KeystoreOpening.NeedsUnlockKey;
        }

        ReadOnlySpan<byte> sealedPart = file[headerEnd..^ChecksumBytes];
        using Key key = secret.DeriveKey(header.Cost, header.Salt);
        using var plaintext = new SecretBytes(sealedPart.Length - TagBytes);
        if (!AeadAlgorithm.XChaCha20Poly1305.Decrypt(key, header.Nonce, file[..headerEnd], sealedPart, plaintext.Span))
        {
            return KeystoreOpening.WrongPassphrase;
        }

        return KeystoreContents.TryRead(plaintext.Span, out contents) ? KeystoreOpening.Opened : KeystoreOpening.Unsupported;
    }

    /// <summary>Which secret a key file wants, so that a user is asked for a passphrase only where there is one; false when it cannot be opened at all.</summary>
    public static bool TryReadLock(ReadOnlySpan<byte> file, out KeystoreLock kind)
    {
        bool read = TryReadHeader(file, out KeystoreHeader header, out _) == KeystoreOpening.Opened;
        kind = header.Lock;
        return read;
    }

    /// <summary>Seals with a given nonce ‖ salt and cost: what golden vectors and tests of the bounds need.</summary>
    internal static byte[] Seal(KeystoreSecret secret, KeystoreContents contents, ReadOnlySpan<byte> nonceAndSalt, KeystoreCost cost)
    {
        ArgumentNullException.ThrowIfNull(secret);
        ArgumentNullException.ThrowIfNull(contents);
        var header = new KeystoreHeader
        {
            Lock = secret.Lock,
            Nonce = nonceAndSalt[..KeystoreHeader.NonceBytes],
            Salt = nonceAndSalt[KeystoreHeader.NonceBytes..],
            Cost = cost,
        };

        Span<byte> file = stackalloc byte[MaxBytes];
        var writer = new CborWriter(file);
        writer.WriteRaw(Magic);
        header.Write(ref writer);
        int headerEnd = writer.Written;

        using var plaintext = new SecretBytes(KeystoreContents.MaxBytes);
        int plaintextBytes = contents.Write(plaintext.Span);
        using Key key = secret.DeriveKey(cost, header.Salt);
        int end = headerEnd + plaintextBytes + TagBytes;
        AeadAlgorithm.XChaCha20Poly1305.Encrypt(
            key, header.Nonce, file[..headerEnd], plaintext.Span[..plaintextBytes], file[headerEnd..end]);
        WriteChecksum(file[..end], file.Slice(end, ChecksumBytes));
        return file[..(end + ChecksumBytes)].ToArray();
    }

    /// <summary>The checksum of everything before it.</summary>
    internal static void WriteChecksum(ReadOnlySpan<byte> before, Span<byte> checksum)
    {
        Span<byte> digest = stackalloc byte[Sha256.HashBytes];
        Sha256.HashData(before, digest);
        digest[..ChecksumBytes].CopyTo(checksum);
    }

    private static KeystoreOpening TryReadHeader(ReadOnlySpan<byte> file, out KeystoreHeader header, out int headerEnd)
    {
        header = default;
        headerEnd = 0;
        if (file.Length > MaxBytes || file.Length < Magic.Length + TagBytes + ChecksumBytes || !file.StartsWith(Magic))
        {
            return KeystoreOpening.Corrupt;
        }

        Span<byte> checksum = stackalloc byte[ChecksumBytes];
        WriteChecksum(file[..^ChecksumBytes], checksum);
        if (!checksum.SequenceEqual(file[^ChecksumBytes..]))
        {
            return KeystoreOpening.Corrupt;
        }

        var reader = new CborReader(file[Magic.Length..^ChecksumBytes]);
        KeystoreOpening reading = KeystoreHeader.Read(ref reader, out header);
        headerEnd = file.Length - ChecksumBytes - reader.Rest.Length;
        return reading == KeystoreOpening.Opened && reader.Rest.Length < TagBytes ? KeystoreOpening.Corrupt : reading;
    }
}

/// <summary>What <see cref="Keystore.TryOpen"/> says.</summary>
public enum KeystoreOpening
{
    Opened,

    /// <summary>The file is whole, but this secret is not its own (or somebody rewrote it who did not know the secret).</summary>
    WrongPassphrase,

    /// <summary>An unlock key was tried on a keystore under a passphrase: ask for it.</summary>
    NeedsPassphrase,

    /// <summary>A passphrase was tried on a keystore under an unlock key.</summary>
    NeedsUnlockKey,

    /// <summary>Damaged, truncated, or no keystore.</summary>
    Corrupt,

    /// <summary>A version, lock or content this build does not know, or a passphrase stretched less than any version ever did.</summary>
    Unsupported,

    /// <summary>The file asks for more memory or passes than it is believed to need.</summary>
    TooCostly,
}
