using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Core.Wire;

namespace Carrier.Tests.Identity;

public sealed class KeystoreTests
{
    private static readonly byte[] NonceAndSalt = [.. Enumerable.Range(0, 40).Select(i => (byte)i)];

    [Fact]
    public void Seal_under_a_passphrase_opens_with_it_alone()
    {
        using var secret = KeystoreSecret.FromPassphrase("correct horse");
        using var wrong = KeystoreSecret.FromPassphrase("correct horsf");
        using KeystoreContents contents = Everything();
        byte[] file = Keystore.Seal(secret, contents, new SeededRandom(1));
        Assert.InRange(file.Length, 1, Keystore.MaxBytes);

        Assert.Equal(KeystoreOpening.Opened, Keystore.TryOpen(file, secret, out KeystoreContents? opened));
        AssertSame(contents, opened!);
        Assert.Equal(KeystoreOpening.WrongPassphrase, Keystore.TryOpen(file, wrong, out KeystoreContents? none));
        Assert.Null(none);
        Assert.True(Keystore.TryReadLock(file, out KeystoreLock kind));
        Assert.Equal(KeystoreLock.Passphrase, kind);
    }

    [Fact]
    public void Seal_under_an_unlock_key_opens_with_the_file_of_it()
    {
        using var secret = KeystoreSecret.GenerateUnlockKey(new SeededRandom(2));
        byte[] unlockFile = new byte[KeystoreSecret.UnlockKeyBytes];
        secret.CopyUnlockKeyTo(unlockFile);
        using KeystoreContents contents = Everything();
        byte[] file = Keystore.Seal(secret, contents, new SeededRandom(1));

        Assert.True(KeystoreSecret.TryFromUnlockKey(unlockFile, out KeystoreSecret? fromFile));
        Assert.Equal(KeystoreOpening.Opened, Keystore.TryOpen(file, fromFile!, out KeystoreContents? opened));
        AssertSame(contents, opened!);
        using var other = KeystoreSecret.GenerateUnlockKey(new SeededRandom(3));
        Assert.Equal(KeystoreOpening.WrongPassphrase, Keystore.TryOpen(file, other, out _));
    }

    [Fact]
    public void TryOpen_the_other_kind_of_secret_is_asked_for()
    {
        using var passphrase = KeystoreSecret.FromPassphrase("correct horse");
        using var unlockKey = KeystoreSecret.GenerateUnlockKey(new SeededRandom(2));
        using KeystoreContents contents = Everything();
        Assert.Equal(
            KeystoreOpening.NeedsPassphrase, Keystore.TryOpen(Keystore.Seal(passphrase, contents, new SeededRandom(1)), unlockKey, out _));
        Assert.Equal(
            KeystoreOpening.NeedsUnlockKey, Keystore.TryOpen(Keystore.Seal(unlockKey, contents, new SeededRandom(1)), passphrase, out _));
    }

    [Fact]
    public void Seal_gives_the_golden_bytes()
    {
        Assert.True(KeystoreSecret.TryFromUnlockKey(new byte[32], out KeystoreSecret? unlockKey));
        using var passphrase = KeystoreSecret.FromPassphrase("correct horse");
        using KeystoreContents contents = Everything();
        Assert.Equal(
            IdentityVectors.Identity.GetProperty("keystore").Text("under_unlock_key"),
            Convert.ToHexStringLower(Keystore.Seal(unlockKey!, contents, NonceAndSalt, KeystoreCost.Standard)));
        Assert.Equal(
            IdentityVectors.Identity.GetProperty("keystore").Text("under_passphrase"),
            Convert.ToHexStringLower(Keystore.Seal(passphrase, contents, NonceAndSalt, KeystoreCost.Standard)));
    }

    [Fact]
    public void Seal_two_files_of_one_secret_share_nothing()
    {
        using var secret = KeystoreSecret.GenerateUnlockKey(new SeededRandom(2));
        using KeystoreContents contents = Everything();
        var random = new SeededRandom(1);
        byte[] first = Keystore.Seal(secret, contents, random);
        byte[] second = Keystore.Seal(secret, contents, random);
        Assert.NotEqual(first[^64..], second[^64..]);
    }

    [Fact]
    public void TryOpen_every_truncation_and_every_bit_flip_is_found_damaged()
    {
        using var secret = KeystoreSecret.GenerateUnlockKey(new SeededRandom(2));
        using KeystoreContents contents = Everything();
        byte[] file = Keystore.Seal(secret, contents, new SeededRandom(1));
        for (int length = 0; length < file.Length; length++)
        {
            Assert.Equal(KeystoreOpening.Corrupt, Keystore.TryOpen(file.AsSpan(0, length), secret, out _));
        }

        for (int bit = 0; bit < file.Length * 8; bit++)
        {
            file[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Equal(KeystoreOpening.Corrupt, Keystore.TryOpen(file, secret, out _));
            file[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void TryOpen_a_forger_who_mends_the_checksum_opens_nothing()
    {
        using var secret = KeystoreSecret.GenerateUnlockKey(new SeededRandom(2));
        using KeystoreContents contents = Everything();
        byte[] file = Keystore.Seal(secret, contents, new SeededRandom(1));
        for (int bit = 64; bit < (file.Length - 8) * 8; bit++)
        {
            byte[] forged = [.. file];
            forged[bit / 8] ^= (byte)(1 << (bit % 8));
            MendChecksum(forged);
            Assert.NotEqual(KeystoreOpening.Opened, Keystore.TryOpen(forged, secret, out KeystoreContents? opened));
            Assert.Null(opened);
        }
    }

    [Theory]
    [InlineData(4UL * 1024 * 1024, 3UL, KeystoreOpening.TooCostly)] // four GiB
    [InlineData(ulong.MaxValue, 3UL, KeystoreOpening.TooCostly)]
    [InlineData(64UL * 1024, 1_000_000UL, KeystoreOpening.TooCostly)]
    [InlineData(8UL, 1UL, KeystoreOpening.Unsupported)] // a real passphrase is never stretched less, whatever a file says
    [InlineData(64UL * 1024, 2UL, KeystoreOpening.Unsupported)]
    public void TryOpen_a_cost_outside_the_bounds_is_refused_before_it_is_paid(ulong memoryKiB, ulong passes, KeystoreOpening expected)
    {
        var writer = new CborWriter(new byte[200]);
        writer.WriteRaw("CARRKEYS"u8);
        writer.WriteMap(6);
        writer.WriteUInt(0);
        writer.WriteUInt(1);
        writer.WriteUInt(1);
        writer.WriteUInt(1);
        writer.WriteUInt(2);
        writer.WriteBytes(new byte[24]);
        writer.WriteUInt(3);
        writer.WriteBytes(new byte[16]);
        writer.WriteUInt(4);
        writer.WriteUInt(memoryKiB);
        writer.WriteUInt(5);
        writer.WriteUInt(passes);
        writer.WriteRaw(new byte[32 + 8]);
        byte[] file = writer.Encoded.ToArray();
        MendChecksum(file);
        using var secret = KeystoreSecret.FromPassphrase("correct horse");
        Assert.Equal(expected, Keystore.TryOpen(file, secret, out _));
    }

    [Theory]
    [InlineData(2, 1, KeystoreOpening.Unsupported)] // version 2
    [InlineData(1, 3, KeystoreOpening.Unsupported)] // lock 3
    public void TryOpen_versions_and_locks_to_come_are_named_so(ulong version, ulong kind, KeystoreOpening expected)
    {
        var writer = new CborWriter(new byte[200]);
        writer.WriteRaw("CARRKEYS"u8);
        writer.WriteMap(3);
        writer.WriteUInt(0);
        writer.WriteUInt(version);
        writer.WriteUInt(1);
        writer.WriteUInt(kind);
        writer.WriteUInt(2);
        writer.WriteBytes(new byte[24]);
        writer.WriteRaw(new byte[32 + 8]);
        byte[] file = writer.Encoded.ToArray();
        MendChecksum(file);
        using var secret = KeystoreSecret.GenerateUnlockKey(new SeededRandom(2));
        Assert.Equal(expected, Keystore.TryOpen(file, secret, out _));
    }

    [Fact]
    public void TryOpen_parts_that_are_missing_stay_missing()
    {
        using var secret = KeystoreSecret.GenerateUnlockKey(new SeededRandom(2));
        using var nothing = new KeystoreContents();
        byte[] file = Keystore.Seal(secret, nothing, new SeededRandom(1));
        Assert.Equal(KeystoreOpening.Opened, Keystore.TryOpen(file, secret, out KeystoreContents? opened));
        Assert.Null(opened!.Mnemonic);
        Assert.Null(opened.Owner);
        Assert.Null(opened.Device);
        Assert.Null(opened.Delegation);
    }

    [Fact]
    public void KeystoreSecret_an_empty_or_endless_passphrase_is_refused()
    {
        Assert.Throws<ArgumentException>(() => KeystoreSecret.FromPassphrase(default));
        Assert.Throws<ArgumentOutOfRangeException>(() => KeystoreSecret.FromPassphrase(new string('a', 1025)));
        using var secret = KeystoreSecret.FromPassphrase("correct horse");
        Assert.Throws<InvalidOperationException>(() => secret.CopyUnlockKeyTo(new byte[32]));
    }

    private static KeystoreContents Everything()
    {
        OwnerKey owner = IdentityVectors.Owner();
        var device = DeviceKeys.Generate(new HashedRandom(7));
        return new KeystoreContents
        {
            Mnemonic = Mnemonic.Generate(new HashedRandom(8), wordCount: 24),
            Owner = owner,
            Device = device,
            Delegation = Delegation.Issue(owner, device, 3, new UnixTime(1_800_000_000), new UnixTime(1_900_000_000), DelegationUses.All),
        };
    }

    private static void AssertSame(KeystoreContents expected, KeystoreContents actual)
    {
        Assert.Equal(expected.Mnemonic!.ToText(), actual.Mnemonic!.ToText());
        Assert.Equal(expected.Owner!.PublicKey, actual.Owner!.PublicKey);
        Assert.Equal(expected.Device!.SigningKey, actual.Device!.SigningKey);
        Assert.Equal(expected.Device.ExchangeKey, actual.Device.ExchangeKey);
        Assert.Equal(expected.Delegation!.Encoded.ToArray(), actual.Delegation!.Encoded.ToArray());
    }

    private static void MendChecksum(byte[] file) => Keystore.WriteChecksum(file.AsSpan(0, file.Length - 8), file.AsSpan(file.Length - 8));
}
