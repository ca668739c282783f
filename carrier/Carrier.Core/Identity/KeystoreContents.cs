using System.Diagnostics.CodeAnalysis;
using Carrier.Core.Wire;

namespace Carrier.Core.Identity;

/// <summary>What a keystore keeps; every part is optional. It owns its parts: dispose zeroes them all.</summary>
/// <remarks>
/// <code>
///  CBOR map
///   1  mnemonic entropy   bytes 16 or 32
///   2  owner private key  bytes 32   P-256 scalar; kept beside the mnemonic, for a mnemonic's passphrase is not
///   3  device keys        bytes 64   Ed25519 seed ‖ X25519 private key
///   4  delegation         bytes
/// </code>
/// A file of the owner's has the first two, a device's file the other two, so an agent starts while its owner is offline.
/// </remarks>
public sealed class KeystoreContents : IDisposable
{
    /// <summary>The longest encoding: every part at its longest, and their heads.</summary>
    internal const int MaxBytes = 384;

    public Mnemonic? Mnemonic { get; init; }

    public OwnerKey? Owner { get; init; }

    public DeviceKeys? Device { get; init; }

    public Delegation? Delegation { get; init; }

    public void Dispose()
    {
        Mnemonic?.Dispose();
        Owner?.Dispose();
        Device?.Dispose();
    }

    /// <summary>Writes the map and returns its length.</summary>
    internal int Write(Span<byte> destination)
    {
        using var secret = new SecretBytes(DeviceKeys.PrivateBytes);
        var writer = new CborWriter(destination);
        writer.WriteMap((Mnemonic is null ? 0 : 1) + (Owner is null ? 0 : 1) + (Device is null ? 0 : 1) + (Delegation is null ? 0 : 1));
        if (Mnemonic is not null)
        {
            writer.WriteUInt(1);
            writer.WriteBytes(Mnemonic.Entropy);
        }

        if (Owner is not null)
        {
            writer.WriteUInt(2);
            Owner.CopyPrivateTo(secret.Span);
            writer.WriteBytes(secret.Span[..OwnerKey.PrivateBytes]);
        }

        if (Device is not null)
        {
            writer.WriteUInt(3);
            Device.CopyPrivateTo(secret.Span);
            writer.WriteBytes(secret.Span);
        }

        if (Delegation is not null)
        {
            writer.WriteUInt(4);
            writer.WriteBytes(Delegation.Encoded.Span);
        }

        return writer.Overflowed ? throw new InvalidOperationException("Keystore contents outgrew their bound.") : writer.Written;
    }

    internal static bool TryRead(ReadOnlySpan<byte> encoded, [NotNullWhen(true)] out KeystoreContents? contents)
    {
        Mnemonic? mnemonic = null;
        OwnerKey? owner = null;
        DeviceKeys? device = null;
        Delegation? delegation = null;
        var reader = new CborReader(encoded);
        bool read = reader.TryReadMap(out int pairs);
        int key = -1;
        for (int i = 0; read && i < pairs; i++)
        {
            read = reader.TryReadKey(ref key) && reader.TryReadBytes(out ReadOnlySpan<byte> value) && key switch
            {
                1 => Mnemonic.TryFromEntropy(value, out mnemonic),
                2 => OwnerKey.TryFromPrivate(value, out owner),
                3 => DeviceKeys.TryFromPrivate(value, out device),
                4 => Delegation.TryParse(value, out delegation),
                _ => false, // a later version's secret must not be lost by a rewrite: that version has another number
            };
        }

        delegation?.TrustSignature();
        contents = new KeystoreContents { Mnemonic = mnemonic, Owner = owner, Device = device, Delegation = delegation };
        if (!read || !reader.AtEnd)
        {
            contents.Dispose();
            contents = null;
        }

        return contents is not null;
    }
}
