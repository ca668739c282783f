using Carrier.Core;
using NSec.Cryptography;
using PublicKey = Carrier.Core.Crypto.PublicKey;

namespace Carrier.Dht.Routing;

/// <summary>Computes a node's id from what others can check: the address it answers at and the transport key it answers with.</summary>
/// <remarks>
/// <code>
/// 0                4                                20
/// | prefix         | key part                       |
/// prefix   = BLAKE2b-256("carrier node prefix" ‖ source unit address, 4 or 16 bytes ‖ choice, 1 byte), first 4 bytes
/// key part = BLAKE2b-256("carrier node key" ‖ transport key, 32 bytes), first 16 bytes
/// </code>
/// An address block (IPv4 /24, IPv6 /48) has eight places in the key space and no more, so a place near a target must be bought with
/// addresses; the choice lets neighbours behind one block spread. The id never travels: it is always computed.
/// </remarks>
public static class NodeId
{
    /// <summary>The highest choice a node may make of its place: 0 to 7.</summary>
    public const byte MaxChoice = 7;

    private const int PrefixBytes = 4;

    public static DhtKey Compute(in PublicKey transportKey, byte choice, Endpoint endpoint)
    {
        Span<byte> id = stackalloc byte[DhtKey.Bytes];
        Span<byte> hash = stackalloc byte[HashAlgorithm.Blake2b_256.HashSize];
        Span<byte> input = stackalloc byte[64];

        ReadOnlySpan<byte> prefixDomain = "carrier node prefix"u8;
        prefixDomain.CopyTo(input);
        int length = prefixDomain.Length;
        length += endpoint.SourceUnit.WriteAddress(input[length..]);
        input[length++] = choice;
        HashAlgorithm.Blake2b_256.Hash(input[..length], hash);
        hash[..PrefixBytes].CopyTo(id);

        ReadOnlySpan<byte> keyDomain = "carrier node key"u8;
        keyDomain.CopyTo(input);
        transportKey.Span.CopyTo(input[keyDomain.Length..]);
        HashAlgorithm.Blake2b_256.Hash(input[..(keyDomain.Length + PublicKey.Bytes)], hash);
        hash[..(DhtKey.Bytes - PrefixBytes)].CopyTo(id[PrefixBytes..]);
        return new DhtKey(id);
    }
}
