using Carrier.Core.Crypto;

namespace Carrier.Tests.Crypto;

/// <summary>The X25519 public keys whose agreement is zero with every private key: the points of order 1, 2, 4 and 8 and their other encodings.</summary>
internal static class LowOrderPoints
{
    public static IEnumerable<PublicKey> All => new[]
    {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    }.Select(hex => new PublicKey(Convert.FromHexString(hex)));
}
