using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Carrier.Core.Identity;

/// <summary>Private key derivation of BIP-32 over P-256 in place of secp256k1, with BIP-32's own master key: what ELA wallets do. Not SLIP-10.</summary>
/// <remarks>
/// A node of the tree is 64 bytes, scalar ‖ chain code. A child whose HMAC is not below N, or whose scalar is zero, does not exist; over P-256
/// that is one in 2^32, so it is an outcome here and not an impossibility.
/// </remarks>
internal static class Derivation
{
    public const int NodeBytes = 64;

    /// <summary>Added to an index: derived from the private parent only, written <c>'</c>.</summary>
    public const uint Hardened = 0x8000_0000;

    /// <summary><c>m/44'/0'/0'</c>.</summary>
    public static ReadOnlySpan<uint> OwnerAccount => [44 | Hardened, Hardened, Hardened];

    /// <summary>Walks <paramref name="path"/> from the master key of <paramref name="seed"/>; <paramref name="node"/> receives scalar ‖ chain code.</summary>
    public static bool TryDerive(ReadOnlySpan<byte> seed, ReadOnlySpan<uint> path, Span<byte> node)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(node.Length, NodeBytes);
        HMACSHA512.HashData("Bitcoin seed"u8, seed, node);
        bool exists = P256Scalar.Read(node).IsInRange;
        foreach (uint index in path)
        {
            exists = exists && TryStep(node, index);
        }

        return exists;
    }

    private static bool TryStep(Span<byte> node, uint index)
    {
        Span<byte> scalar = node[..P256Scalar.Bytes];
        Span<byte> data = stackalloc byte[1 + P256Scalar.Bytes + sizeof(uint)];
        Span<byte> mac = stackalloc byte[NodeBytes];
        try
        {
            data.Clear();
            if (index >= Hardened)
            {
                scalar.CopyTo(data[1..]);
            }
            else
            {
                using OwnerKey? parent = OwnerKey.TryFromPrivate(scalar, out OwnerKey? key) ? key : null;
                parent?.PublicKey.Span.CopyTo(data);
            }

            BinaryPrimitives.WriteUInt32BigEndian(data[^sizeof(uint)..], index);
            HMACSHA512.HashData(node[P256Scalar.Bytes..], data, mac);
            P256Scalar tweak = P256Scalar.Read(mac);
            if (tweak.CompareTo(P256Scalar.Order) >= 0)
            {
                return false;
            }

            P256Scalar child = tweak.AddModOrder(P256Scalar.Read(scalar));
            child.Write(scalar);
            mac[P256Scalar.Bytes..].CopyTo(node[P256Scalar.Bytes..]);
            return child.IsInRange;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(data);
            CryptographicOperations.ZeroMemory(mac);
        }
    }
}
