using System.Text.Json;
using Carrier.Core.Identity;
using CsCheck;

namespace Carrier.Tests.Identity;

public sealed class TrustIdTests
{
    // Identities published without regard to EIP-55.
    private const string Published = "0xE94b04a0FeD112f3664e45adb2B8915693d05FF3";

    private static readonly Gen<TrustId> GenId = Gen.Byte.Array[TrustId.Bytes].Select(bytes => new TrustId(bytes));

    [Fact]
    public void FromPublicKey_recorded_keys_give_the_recorded_hash_and_address()
    {
        foreach (JsonElement key in IdentityVectors.Ela.GetProperty("keys").EnumerateArray())
        {
            Assert.True(OwnerPublicKey.TryFromBytes(key.Hex("public_key"), out OwnerPublicKey publicKey));
            TrustId id = publicKey.TrustId;
            Assert.Equal(key.Text("code_hash"), id.ToString()[2..].ToLowerInvariant());
            Assert.Equal(key.Text("address"), id.ToAddress());
            Assert.Equal(TrustIdParse.Valid, TrustId.Parse(key.Text("address"), out TrustId parsed));
            Assert.Equal(id, parsed);
        }
    }

    [Fact]
    public void Parse_addresses_of_other_prefixes_are_refused()
    {
        foreach (JsonElement key in IdentityVectors.Ela.GetProperty("keys").EnumerateArray())
        {
            foreach (string kind in (string[])["did_address", "cid_address", "deposit_address", "stake_address"])
            {
                Assert.Equal(TrustIdParse.Invalid, TrustId.Parse(key.Text(kind), out _));
                Assert.True(ElaAddress.TryDecode(key.Text(kind), out byte prefix, new byte[ElaAddress.HashBytes]));
                Assert.NotEqual(ElaAddress.StandardPrefix, prefix);
            }
        }
    }

    [Fact]
    public void Parse_bad_addresses_are_refused()
    {
        foreach (JsonElement bad in IdentityVectors.Ela.GetProperty("bad_addresses").EnumerateArray())
        {
            Assert.Equal(TrustIdParse.Invalid, TrustId.Parse(bad.Text("address"), out _));
        }
    }

    [Fact]
    public void Parse_every_one_character_change_of_an_address_is_refused()
    {
        const string Address = "ET1M8dqYHUy1tXE69R2kD4bzVzjWSFBArT";
        for (int i = 0; i < Address.Length; i++)
        {
            foreach (char c in "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0OIl \u0661")
            {
                string changed = Address[..i] + c + Address[(i + 1)..];
                Assert.Equal(changed == Address, TrustId.TryParse(changed, out _));
            }
        }
    }

    [Theory]
    [InlineData(Published)]
    [InlineData("0x32B77CBB265175D1A927c9A3F816de577BDDdE05")]
    [InlineData("0xd4fa1460F537bb9085d22C7bcCB5DD450Ef28e3a")]
    public void Parse_published_identities_are_read_in_any_case(string text)
    {
        Assert.NotEqual(TrustIdParse.Invalid, TrustId.Parse(text, out TrustId id));
        Assert.Equal(text[2..], id.ToString()[2..], ignoreCase: true);
        Assert.Equal(TrustIdParse.Valid, TrustId.Parse(id.ToString(), out TrustId canonical));
        Assert.Equal(TrustIdParse.Valid, TrustId.Parse(text.ToLowerInvariant(), out TrustId lower));
        Assert.Equal(TrustIdParse.Valid, TrustId.Parse("0x" + text[2..].ToUpperInvariant(), out TrustId upper));
        Assert.Equal([id, id, id], [canonical, lower, upper]);
    }

    [Fact]
    public void Parse_mixed_case_that_is_no_checksum_is_read_and_reported()
    {
        Assert.Equal(TrustIdParse.ChecksumMismatch, TrustId.Parse(Published, out TrustId id));
        Assert.False(id.IsNone);
    }

    [Theory] // the examples of EIP-55 itself
    [InlineData("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")]
    [InlineData("0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359")]
    [InlineData("0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB")]
    [InlineData("0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb")]
    public void ToString_writes_the_checksum_of_eip_55(string text)
    {
        Assert.Equal(TrustIdParse.Valid, TrustId.Parse(text, out TrustId id));
        Assert.Equal(text, id.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("0x")]
    [InlineData("E94b04a0FeD112f3664e45adb2B8915693d05FF3")]
    [InlineData("0xE94b04a0FeD112f3664e45adb2B8915693d05FF")]
    [InlineData("0xE94b04a0FeD112f3664e45adb2B8915693d05FF3a")]
    [InlineData("0xG94b04a0FeD112f3664e45adb2B8915693d05FF3")]
    [InlineData(" xE94b04a0FeD112f3664e45adb2B8915693d05FF3")]
    public void Parse_anything_else_is_refused(string text) => Assert.False(TrustId.TryParse(text, out _));

    [Fact]
    public void Text_and_address_read_back() => GenId.Sample(id =>
        TrustId.Parse(id.ToString(), out TrustId fromText) == TrustIdParse.Valid && fromText == id
        && TrustId.Parse(id.ToAddress(), out TrustId fromAddress) == TrustIdParse.Valid && fromAddress == id);

    [Fact]
    public void CompareTo_orders_as_the_bytes_do() => Gen.Select(GenId, GenId).Sample((left, right) =>
    {
        Span<byte> a = stackalloc byte[TrustId.Bytes];
        Span<byte> b = stackalloc byte[TrustId.Bytes];
        left.CopyTo(a);
        right.CopyTo(b);
        return Math.Sign(left.CompareTo(right)) == Math.Sign(a.SequenceCompareTo(b))
            && (left == right) == a.SequenceEqual(b)
            && (left < right) == (a.SequenceCompareTo(b) < 0);
    });

    [Fact]
    public void TryWrite_needs_twenty_bytes_of_room()
    {
        Assert.True(TrustId.TryParse(Published, out TrustId id));
        byte[] room = new byte[TrustId.Bytes];
        Assert.False(id.TryWrite(room.AsSpan(1)));
        Assert.True(id.TryWrite(room));
        Assert.Equal(0xE9, room[0]);
        Assert.True(TrustId.TryFromBytes(room, out TrustId back));
        Assert.Equal(id, back);
        Assert.False(TrustId.TryFromBytes(room.AsSpan(1), out _));
    }

    [Fact]
    public void GetHashCode_ids_that_differ_in_two_words_alike_do_not_collide()
    {
        // Folding hashes (the default one of a long among them) give all of these one value.
        var hashes = new HashSet<int>();
        byte[] bytes = new byte[TrustId.Bytes];
        for (int i = 0; i < 1000; i++)
        {
            BitConverter.TryWriteBytes(bytes.AsSpan(0), i);
            BitConverter.TryWriteBytes(bytes.AsSpan(4), i);
            hashes.Add(new TrustId(bytes).GetHashCode());
        }

        Assert.InRange(hashes.Count, 990, 1000);
    }
}
