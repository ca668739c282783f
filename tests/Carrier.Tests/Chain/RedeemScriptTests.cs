using System.Security.Cryptography;
using System.Text.Json;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;
using Carrier.Core.Identity;

namespace Carrier.Tests.Chain;

public class RedeemScriptTests
{
    public static TheoryData<int> Keys => [.. Enumerable.Range(0, ChainVectors.Keys.GetProperty("keys").GetArrayLength())];

    public static TheoryData<int> MultiSignatures => [.. Enumerable.Range(0, ChainVectors.Keys.GetProperty("multisig").GetArrayLength())];

    public static TheoryData<int> Derivations => [.. Enumerable.Range(0, ChainVectors.Keys.GetProperty("bip32_p256").GetArrayLength())];

    [Theory]
    [MemberData(nameof(Keys))]
    public void Every_form_of_a_key_is_as_recorded(int index)
    {
        JsonElement entry = ChainVectors.Keys.GetProperty("keys")[index];
        Assert.True(OwnerKey.TryFromPrivate(entry.Hex("private_key"), out OwnerKey? key));
        using (key)
        {
            Assert.Equal(entry.Text("public_key"), key.PublicKey.ToString());
            RedeemScript script = RedeemScript.Standard(key.PublicKey);
            RedeemScript did = RedeemScript.Did(key.PublicKey);
            Assert.Equal(entry.Text("code"), script.ToString());
            Assert.Equal(entry.Text("did_code"), did.ToString());
            Assert.Equal(entry.Text("code_hash"), Convert.ToHexStringLower(script.ProgramHash.CodeHash));
            Assert.Equal(entry.Text("program_hash"), Convert.ToHexStringLower(script.ProgramHash.Span));
            Assert.Equal(entry.Text("did_program_hash"), Convert.ToHexStringLower(did.ProgramHash.Span));
            Assert.Equal(entry.Text("did_address"), did.ProgramHash.ToString());
            Assert.Equal(ProgramHash.FromTrustId(key.TrustId), script.ProgramHash);
            foreach ((AddressPrefix prefix, string name) in new[]
            {
                (AddressPrefix.Standard, "address"), (AddressPrefix.Did, "cid_address"), (AddressPrefix.Deposit, "deposit_address"),
                (AddressPrefix.Stake, "stake_address"),
            })
            {
                ProgramHash hash = ProgramHash.FromCode(prefix, script.Code.Span);
                Assert.Equal(entry.Text(name), hash.ToString());
                Assert.True(ProgramHash.TryParse(entry.Text(name), out ProgramHash back));
                Assert.Equal(hash, back);
            }
        }
    }

    [Theory]
    [MemberData(nameof(MultiSignatures))]
    public void MultiSignature_sorts_by_x_and_reads_any_order(int index)
    {
        JsonElement entry = ChainVectors.Keys.GetProperty("multisig")[index];
        int required = entry.GetProperty("m").GetInt32();
        OwnerPublicKey[] keys = [.. entry.GetProperty("keys").EnumerateObject().Select(key => PublicKey(Convert.FromHexString(key.Value.GetString()!)))];
        foreach (JsonElement order in entry.GetProperty("orders").EnumerateArray())
        {
            Assert.True(RedeemScript.TryParse(order.Hex("code"), out RedeemScript? read));
            Assert.Equal(order.Text("address"), read.ProgramHash.ToString());
            Assert.Equal(order.Text("program_hash"), Convert.ToHexStringLower(read.ProgramHash.Span));
            Assert.Equal(required, read.Required);
            if (order.GetProperty("use_this").GetBoolean())
            {
                Assert.Equal(read, RedeemScript.MultiSignature(required, keys));
                Assert.Equal(read, RedeemScript.MultiSignature(required, keys.Reverse()));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Derivations))]
    public void Mnemonic_gives_the_recorded_keys(int index)
    {
        JsonElement entry = ChainVectors.Keys.GetProperty("bip32_p256")[index];
        Assert.True(Mnemonic.Read(entry.Text("mnemonic"), out Mnemonic? mnemonic).IsValid);
        int checkedKeys = 0;
        foreach (JsonElement derived in entry.GetProperty("derived").EnumerateArray())
        {
            string[] path = derived.Text("path").Split('/');
            if (path.Length != 6 || path[4] is not ("0" or "1"))
            {
                continue;
            }

            checkedKeys++;
            using OwnerKey key = OwnerKey.FromMnemonic(mnemonic!, entry.Text("passphrase"),
                uint.Parse(path[5], System.Globalization.CultureInfo.InvariantCulture), path[4] == "0" ? 0u : 1u);
            Assert.Equal(derived.Text("public_key"), key.PublicKey.ToString());
            Assert.Equal(derived.Text("address"), key.TrustId.ToAddress());
            Assert.Equal(derived.Text("did_address"), RedeemScript.Did(key.PublicKey).ProgramHash.ToString());
        }

        Assert.True(checkedKeys > 0);
    }

    [Fact]
    public void Published_mnemonic_gives_the_published_address()
    {
        Assert.True(Mnemonic.Read("cloth always junk crash fun exist stumble shift over benefit fun toe", out Mnemonic? mnemonic).IsValid);
        using OwnerKey key = OwnerKey.FromMnemonic(mnemonic!);
        Assert.Equal("EUL3gVZCdJaj6oRfGfzYu8v41ecZvE1Unz", RedeemScript.Standard(key.PublicKey).ProgramHash.ToString());
    }

    [Fact]
    public void Recorded_bad_addresses_are_refused()
    {
        foreach (JsonElement bad in ChainVectors.Keys.GetProperty("bad_addresses").EnumerateArray())
        {
            Assert.False(ProgramHash.TryParse(bad.Text("address"), out _), bad.Text("why"));
        }
    }

    [Fact]
    public void Recorded_signatures_are_judged_as_the_chain_does()
    {
        foreach (JsonElement entry in ChainVectors.Keys.GetProperty("signatures").EnumerateArray())
        {
            // A signature over another digest than SHA256(data) is recorded with that digest: hash once here, once more in the verification.
            byte[] data = entry.TryGetProperty("digest_only", out _) ? SHA256.HashData(entry.Hex("data")) : entry.Hex("data");
            OwnerPublicKey key = PublicKey(entry.Hex("public_key"));
            Assert.True(entry.GetProperty("valid").GetBoolean() == key.VerifyTransaction(data, entry.Hex("signature")), entry.Text("note"));
        }
    }

    [Fact]
    public void Sign_gives_the_recorded_rfc6979_signature_in_low_form()
    {
        foreach (JsonElement entry in ChainVectors.Keys.GetProperty("signatures").EnumerateArray().Where(e => e.Text("note").StartsWith("RFC 6979", StringComparison.Ordinal)))
        {
            JsonElement owner = ChainVectors.Keys.GetProperty("keys").EnumerateArray().Single(k => k.Text("public_key") == entry.Text("public_key"));
            Assert.True(OwnerKey.TryFromPrivate(owner.Hex("private_key"), out OwnerKey? key));
            byte[] signature = new byte[OwnerPublicKey.SignatureBytes];
            key.SignTransaction(entry.Hex("data"), signature);
            byte[] recorded = entry.Hex("signature");
            Assert.Equal(recorded[..32], signature[..32]);
            P256Scalar s = P256Scalar.Read(recorded.AsSpan(32));
            Assert.Equal(s.IsHigh ? s.Negate() : s, P256Scalar.Read(signature.AsSpan(32)));
        }
    }

    [Fact]
    public void TryParse_survives_every_truncation_and_bit_flip()
    {
        byte[] code = ChainVectors.Keys.GetProperty("multisig")[0].GetProperty("orders")[0].Hex("code");
        for (int length = 0; length < code.Length; length++)
        {
            Assert.False(RedeemScript.TryParse(code.AsSpan(0, length), out _));
        }

        for (int bit = 0; bit < code.Length * 8; bit++)
        {
            byte[] flipped = [.. code];
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            if (RedeemScript.TryParse(flipped, out RedeemScript? script))
            {
                Assert.Equal(flipped, script.Code.ToArray());
            }
        }
    }

    [Fact]
    public void Verify_counts_a_key_once()
    {
        byte[] message = [1, 2, 3];
        OwnerKey[] keys = [Key("payer"), Key("payee")];
        RedeemScript script = RedeemScript.MultiSignature(2, keys.Select(key => key.PublicKey));
        byte[][] signatures = [.. keys.Select(key => Sign(key, message))];
        Assert.True(script.Verify(message, script.Program(signatures).Parameter.Span));
        Assert.True(script.Verify(message, script.Program(signatures[1], signatures[0]).Parameter.Span));
        Assert.False(script.Verify(message, script.Program(signatures[0], signatures[0]).Parameter.Span));
        Assert.False(script.Verify(message, script.Program(signatures[0]).Parameter.Span));
        Assert.False(script.Verify([1, 2, 4], script.Program(signatures).Parameter.Span));
        Assert.False(script.Verify(message, []));
        Assert.False(script.Verify(message, RandomNumberGenerator.GetBytes(130)));
    }

    internal static OwnerKey Key(string label)
    {
        JsonElement entry = ChainVectors.Keys.GetProperty("keys").EnumerateArray().First(k => k.Text("label") == label);
        Assert.True(OwnerKey.TryFromPrivate(entry.Hex("private_key"), out OwnerKey? key));
        return key;
    }

    private static byte[] Sign(OwnerKey key, byte[] message)
    {
        byte[] signature = new byte[OwnerPublicKey.SignatureBytes];
        key.SignTransaction(message, signature);
        return signature;
    }

    private static OwnerPublicKey PublicKey(byte[] bytes) =>
        OwnerPublicKey.TryFromBytes(bytes, out OwnerPublicKey key) ? key : throw new FormatException();
}
