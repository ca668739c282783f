using System.Text;
using Carrier.Core.Identity;

namespace Carrier.Fuzz.Targets;

/// <summary>Parsers of identities, keys and what owners sign.</summary>
public static class IdentityTargets
{
    private static readonly KeystoreSecret UnlockKey =
        KeystoreSecret.TryFromUnlockKey(new byte[KeystoreSecret.UnlockKeyBytes], out KeystoreSecret? secret)
            ? secret
            : throw new InvalidOperationException();

    public static void TrustIdText(ReadOnlySpan<byte> data)
    {
        if (TrustId.TryParse(Encoding.UTF8.GetString(data), out TrustId id))
        {
            Assert.True(TrustId.TryParse(id.ToString(), out TrustId fromText) && fromText == id);
            Assert.True(TrustId.TryParse(id.ToAddress(), out TrustId fromAddress) && fromAddress == id);
        }
    }

    public static void Delegations(ReadOnlySpan<byte> data)
    {
        if (Delegation.TryParse(data, out Delegation? delegation))
        {
            Assert.True(delegation.Encoded.Span.SequenceEqual(data));
            Assert.True(delegation.NotBefore <= delegation.NotAfter);
            Assert.InRange(data.Length, 1, Delegation.MaxBytes);
            _ = delegation.Verify(delegation.NotBefore, 0);
        }
    }

    public static void Revocations(ReadOnlySpan<byte> data)
    {
        if (Revocation.TryParse(data, out Revocation? revocation))
        {
            Assert.True(revocation.Encoded.Span.SequenceEqual(data));
            _ = revocation.Verify();
        }
    }

    /// <summary>An owner's key and a signature by it, as they stand at the start of an input.</summary>
    public static void OwnerSignatures(ReadOnlySpan<byte> data)
    {
        if (data.Length >= OwnerPublicKey.Bytes && OwnerPublicKey.TryFromBytes(data[..OwnerPublicKey.Bytes], out OwnerPublicKey key))
        {
            Assert.True(key.Span.SequenceEqual(data[..OwnerPublicKey.Bytes]));
            ReadOnlySpan<byte> rest = data[OwnerPublicKey.Bytes..];
            int signatureBytes = Math.Min(rest.Length, OwnerPublicKey.SignatureBytes);
            _ = key.VerifyTransaction(rest[signatureBytes..], rest[..signatureBytes]);
        }
    }

    /// <summary>The checksum is mended first, else nothing would get past it.</summary>
    public static void Keystores(ReadOnlySpan<byte> data)
    {
        byte[] file = data.ToArray();
        if (file.Length > 8)
        {
            Keystore.WriteChecksum(file.AsSpan(0, file.Length - 8), file.AsSpan(file.Length - 8));
        }

        if (Keystore.TryOpen(file, UnlockKey, out KeystoreContents? contents) == KeystoreOpening.Opened)
        {
            contents!.Dispose();
        }
    }

    public static void KeystoreMaps(ReadOnlySpan<byte> data)
    {
        if (KeystoreContents.TryRead(data, out KeystoreContents? contents))
        {
            byte[] again = new byte[KeystoreContents.MaxBytes];
            Assert.True(again.AsSpan(0, contents!.Write(again)).SequenceEqual(data));
            contents.Dispose();
        }
    }

    public static void MnemonicText(ReadOnlySpan<byte> data)
    {
        if (Mnemonic.Read(Encoding.UTF8.GetString(data), out Mnemonic? mnemonic).IsValid)
        {
            Assert.True(Mnemonic.Read(mnemonic!.ToText(), out Mnemonic? back).IsValid);
            Assert.True(back!.Entropy.SequenceEqual(mnemonic.Entropy));
        }
    }
}
