using Carrier.Core.Crypto;

namespace Carrier.Core.Identity;

/// <summary>Who a device is, told to a whole link so that only those who know its TrustID learn it.</summary>
/// <remarks>
/// <code>
///  label   = nonce (8) ‖ mark (8)                                                        16 bytes
///  mark    = HKDF-Expand(TrustID, "carrier 1 link mark" ‖ nonce), the first 8 bytes
///  sealed  = XChaCha20-Poly1305(key, nonce 0, header: label, delegation)                 at most 236 bytes
///  key     = HKDF-Expand(TrustID, "carrier 1 link key" ‖ nonce)
/// </code>
/// The nonce is drawn anew for every link, so that strangers cannot follow a device from one network to the next (RFC 8882 §3.2). Who holds a
/// list of TrustIDs can try each: a TrustID is a name that was given away, not a secret key. Nothing here proves anything; the handshake does.
/// </remarks>
public sealed class VeiledIdentity
{
    public const int LabelBytes = NonceBytes + MarkBytes;

    /// <summary>The longest sealed delegation.</summary>
    public const int MaxSealedBytes = Delegation.MaxBytes + XChaCha20Poly1305.TagBytes;

    private const int NonceBytes = 8;
    private const int MarkBytes = 8;

    private static ReadOnlySpan<byte> MarkPurpose => "carrier 1 link mark"u8;

    private static ReadOnlySpan<byte> KeyPurpose => "carrier 1 link key"u8;

    private readonly byte[] _label = new byte[LabelBytes];
    private readonly byte[] _sealed;

    private VeiledIdentity(int sealedBytes) => _sealed = new byte[sealedBytes];

    /// <summary>What names the device on the link: <see cref="LabelBytes"/> that look random.</summary>
    public ReadOnlySpan<byte> Label => _label;

    /// <summary>The delegation, sealed for who knows the TrustID.</summary>
    public ReadOnlySpan<byte> Sealed => _sealed;

    /// <summary>Veils a delegation of at most <see cref="Delegation.MaxBytes"/> with a new nonce.</summary>
    public static VeiledIdentity Create(TrustId trustId, ReadOnlySpan<byte> delegation, RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(random);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(delegation.Length, Delegation.MaxBytes, nameof(delegation));
        VeiledIdentity veiled = new(delegation.Length + XChaCha20Poly1305.TagBytes);
        random.Fill(veiled._label.AsSpan(0, NonceBytes));
        Derive(trustId, MarkPurpose, veiled._label, veiled._label.AsSpan(NonceBytes));
        delegation.CopyTo(veiled._sealed);
        Span<byte> key = stackalloc byte[XChaCha20Poly1305.KeyBytes];
        Derive(trustId, KeyPurpose, veiled._label, key);
        XChaCha20Poly1305.Seal(key, stackalloc byte[XChaCha20Poly1305.NonceBytes], veiled._label, veiled._sealed); // one message under this key: a nonce of zeros
        return veiled;
    }

    /// <summary>Whether a label of <see cref="LabelBytes"/> was made from <paramref name="trustId"/>; a stranger's is with probability 2^-64.</summary>
    public static bool IsOf(TrustId trustId, ReadOnlySpan<byte> label)
    {
        Span<byte> mark = stackalloc byte[MarkBytes];
        if (label.Length != LabelBytes)
        {
            return false;
        }

        Derive(trustId, MarkPurpose, label, mark);
        return label[NonceBytes..].SequenceEqual(mark);
    }

    /// <summary>Opens what came with a label of <paramref name="trustId"/>, writing at most <see cref="Delegation.MaxBytes"/>; false when it is another's or forged.</summary>
    public static bool TryOpen(TrustId trustId, ReadOnlySpan<byte> label, ReadOnlySpan<byte> sealedBytes, Span<byte> delegation, out int bytes)
    {
        bytes = sealedBytes.Length - XChaCha20Poly1305.TagBytes;
        if (bytes < 0 || bytes > Math.Min(delegation.Length, Delegation.MaxBytes) || !IsOf(trustId, label))
        {
            return false;
        }

        Span<byte> key = stackalloc byte[XChaCha20Poly1305.KeyBytes];
        Derive(trustId, KeyPurpose, label, key);
        return XChaCha20Poly1305.TryOpen(key, stackalloc byte[XChaCha20Poly1305.NonceBytes], label, sealedBytes, delegation[..bytes]);
    }

    private static void Derive(TrustId trustId, ReadOnlySpan<byte> purpose, ReadOnlySpan<byte> label, Span<byte> output)
    {
        Span<byte> secret = stackalloc byte[TrustId.Bytes];
        trustId.CopyTo(secret);
        KeyDerivation.Expand(secret, purpose, label[..NonceBytes], output);
    }
}
