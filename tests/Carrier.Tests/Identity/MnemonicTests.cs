using System.Text.Json;
using Carrier.Core.Identity;

namespace Carrier.Tests.Identity;

public sealed class MnemonicTests
{
    private const string Twelve = "cloth always junk crash fun exist stumble shift over benefit fun toe";

    [Fact]
    public void Bip39_vectors_hold_both_ways()
    {
        Span<byte> seed = stackalloc byte[Mnemonic.SeedBytes];
        foreach (JsonElement vector in IdentityVectors.Bip39.GetProperty("vectors").EnumerateArray())
        {
            Assert.True(Mnemonic.TryFromEntropy(vector.Hex("entropy"), out Mnemonic? fromEntropy));
            Assert.Equal(vector.Text("mnemonic"), fromEntropy.ToText());

            Assert.True(Mnemonic.Read(vector.Text("mnemonic"), out Mnemonic? fromText).IsValid);
            Assert.Equal(vector.Hex("entropy"), fromText!.Entropy.ToArray());
            fromText.DeriveSeed("TREZOR", seed);
            Assert.Equal(vector.Hex("seed"), seed.ToArray());
        }
    }

    [Fact]
    public void Bip32_vectors_over_p256_hold()
    {
        Span<byte> seed = stackalloc byte[Mnemonic.SeedBytes];
        Span<byte> node = stackalloc byte[Derivation.NodeBytes];
        foreach (JsonElement vector in IdentityVectors.Ela.GetProperty("bip32_p256").EnumerateArray())
        {
            Assert.True(Mnemonic.Read(vector.Text("mnemonic"), out Mnemonic? mnemonic).IsValid);
            mnemonic!.DeriveSeed(vector.Text("passphrase"), seed);
            Assert.Equal(vector.Hex("seed"), seed.ToArray());
            AssertNode(vector.GetProperty("master"), seed, [], node);
            foreach (JsonElement derived in vector.GetProperty("derived").EnumerateArray())
            {
                AssertNode(derived, seed, ParsePath(derived.Text("path")), node);
            }
        }
    }

    [Fact]
    public void FromMnemonic_gives_the_account_ela_wallets_give()
    {
        Assert.True(Mnemonic.Read(Twelve, out Mnemonic? mnemonic).IsValid);
        using var owner = OwnerKey.FromMnemonic(mnemonic!);
        Assert.Equal("031f56955cc005122f11cec5264ea5968240a90f01434fb0a1b7429be4b9157d46", owner.PublicKey.ToString());
        Assert.Equal("EUL3gVZCdJaj6oRfGfzYu8v41ecZvE1Unz", owner.TrustId.ToAddress());
    }

    [Fact]
    public void Read_takes_any_case_and_white_space()
    {
        string loose = "  " + Twelve.ToUpperInvariant().Replace(" ", "\t\r\n  ", StringComparison.Ordinal) + "\n";
        Assert.True(Mnemonic.Read(loose, out Mnemonic? mnemonic).IsValid);
        Assert.Equal(Twelve, mnemonic!.ToText());
    }

    [Fact]
    public void Read_an_unknown_word_is_named_by_its_place()
    {
        MnemonicReading reading = Mnemonic.Read(Twelve.Replace("stumble", "stumbel", StringComparison.Ordinal), out Mnemonic? mnemonic);
        Assert.Equal(new MnemonicReading(MnemonicProblem.UnknownWord, 7), reading);
        Assert.Null(mnemonic);
        Assert.Equal("Word 7 is not in the English word list.", reading.ToString());
    }

    [Theory]
    [InlineData("", 0)]
    [InlineData("cloth always junk", 3)]
    [InlineData(Twelve + " toe", 13)]
    public void Read_another_number_of_words_is_counted(string text, int words) =>
        Assert.Equal(new MnemonicReading(MnemonicProblem.WordCount, words), Mnemonic.Read(text, out _));

    [Fact]
    public void Read_a_thousand_words_are_only_counted() =>
        Assert.Equal(new(MnemonicProblem.WordCount, 1000), Mnemonic.Read(string.Join(' ', Enumerable.Repeat("zoo", 1000)), out _));

    [Fact]
    public void Read_a_wrong_last_word_fails_the_checksum() =>
        Assert.Equal(MnemonicProblem.Checksum, Mnemonic.Read(Twelve.Replace("toe", "abandon", StringComparison.Ordinal), out _).Problem);

    [Theory]
    [InlineData(12)]
    [InlineData(24)]
    public void Generate_reads_back(int words)
    {
        using var mnemonic = Mnemonic.Generate(new SeededRandom(1), words);
        Assert.Equal(words, mnemonic.WordCount);
        Assert.True(Mnemonic.Read(mnemonic.ToText(), out Mnemonic? back).IsValid);
        Assert.Equal(mnemonic.Entropy.ToArray(), back!.Entropy.ToArray());
    }

    [Fact]
    public void DeriveSeed_a_passphrase_beyond_ascii_is_refused()
    {
        using var mnemonic = Mnemonic.Generate(new SeededRandom(1));
        Assert.Throws<ArgumentException>(() => mnemonic.DeriveSeed("naïve", new byte[Mnemonic.SeedBytes]));
    }

    [Fact]
    public void Dispose_zeroes_the_entropy()
    {
        var mnemonic = Mnemonic.Generate(new SeededRandom(1));
        ReadOnlySpan<byte> entropy = mnemonic.Entropy;
        mnemonic.Dispose();
        Assert.True(entropy.IndexOfAnyExcept((byte)0) < 0);
        Assert.Throws<ObjectDisposedException>(mnemonic.ToText);
    }

    private static void AssertNode(JsonElement expected, ReadOnlySpan<byte> seed, uint[] path, Span<byte> node)
    {
        Assert.True(Derivation.TryDerive(seed, path, node));
        Assert.Equal(expected.Hex("private_key"), node[..32].ToArray());
        Assert.Equal(expected.Hex("chain_code"), node[32..].ToArray());
        Assert.True(OwnerKey.TryFromPrivate(node[..32], out OwnerKey? key));
        Assert.Equal(expected.Text("public_key"), key.PublicKey.ToString());
        if (expected.TryGetProperty("address", out JsonElement address))
        {
            Assert.Equal(address.GetString(), key.TrustId.ToAddress());
        }
    }

    private static uint[] ParsePath(string path) =>
        [.. path.Split('/').Skip(1).Select(step => step.EndsWith('\'') ? uint.Parse(step[..^1]) | Derivation.Hardened : uint.Parse(step))];
}
