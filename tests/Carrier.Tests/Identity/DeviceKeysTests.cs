using Carrier.Core.Crypto;
using Carrier.Core.Identity;
using Org.BouncyCastle.Math.EC.Rfc7748;
using Org.BouncyCastle.Math.EC.Rfc8032;

namespace Carrier.Tests.Identity;

public sealed class DeviceKeysTests
{
    private static readonly SignatureContext Context = new("test v1");

    [Fact]
    public void Public_keys_are_those_another_library_derives()
    {
        using var keys = DeviceKeys.Generate(new SeededRandom(1));
        byte[] secret = new byte[DeviceKeys.PrivateBytes];
        keys.CopyPrivateTo(secret);

        byte[] signing = new byte[32];
        Ed25519.GeneratePublicKey(secret, 0, signing, 0);
        Assert.Equal(signing, keys.SigningKey.Span.ToArray());

        byte[] exchange = new byte[32];
        X25519.GeneratePublicKey(secret, 32, exchange, 0);
        Assert.Equal(exchange, keys.ExchangeKey.Span.ToArray());
        Assert.Equal(secret[32..], keys.ExchangePrivate.ToArray());
    }

    [Fact]
    public void Sign_is_judged_by_another_library()
    {
        using var keys = DeviceKeys.Generate(new SeededRandom(1));
        byte[] signature = new byte[DeviceKeys.SignatureBytes];
        keys.Sign(Context, "hello"u8, signature);
        byte[] signed = Context.Wrap("hello"u8);
        Assert.Equal([0xFF, 0xFF, .. "carrier test v1\0hello"u8], signed);
        Assert.True(Ed25519.Verify(signature, 0, keys.SigningKey.Span.ToArray(), 0, signed, 0, signed.Length));
        Assert.True(DeviceKeys.Verify(keys.SigningKey, Context, "hello"u8, signature));
    }

    [Fact]
    public void Verify_another_context_message_key_or_length_is_refused()
    {
        using var keys = DeviceKeys.Generate(new SeededRandom(1));
        using var other = DeviceKeys.Generate(new SeededRandom(2));
        byte[] signature = new byte[DeviceKeys.SignatureBytes];
        keys.Sign(Context, "hello"u8, signature);
        Assert.False(DeviceKeys.Verify(keys.SigningKey, new SignatureContext("test v2"), "hello"u8, signature));
        Assert.False(DeviceKeys.Verify(keys.SigningKey, Context, "hellp"u8, signature));
        Assert.False(DeviceKeys.Verify(other.SigningKey, Context, "hello"u8, signature));
        Assert.False(DeviceKeys.Verify(keys.SigningKey, Context, "hello"u8, signature.AsSpan(1)));
    }

    [Fact]
    public void Verify_under_low_order_keys_says_no()
    {
        // The identity point accepts R = identity, s = 0 over any message under a lax rule.
        byte[] identity = new byte[32];
        identity[0] = 1;
        Assert.False(DeviceKeys.Verify(new PublicKey(identity), Context, "hello"u8, [.. identity, .. new byte[32]]));
        Assert.False(DeviceKeys.Verify(new PublicKey(new byte[32]), Context, "hello"u8, new byte[64]));
    }

    [Fact]
    public void TryFromPrivate_brings_the_same_device_back()
    {
        using var keys = DeviceKeys.Generate(new SeededRandom(1));
        byte[] secret = new byte[DeviceKeys.PrivateBytes];
        keys.CopyPrivateTo(secret);
        Assert.True(DeviceKeys.TryFromPrivate(secret, out DeviceKeys? back));
        Assert.Equal(keys.SigningKey, back.SigningKey);
        Assert.Equal(keys.ExchangeKey, back.ExchangeKey);
        Assert.False(DeviceKeys.TryFromPrivate(secret.AsSpan(1), out _));
    }

    [Fact]
    public void Dispose_zeroes_the_private_bytes()
    {
        var keys = DeviceKeys.Generate(new SeededRandom(1));
        ReadOnlySpan<byte> exchange = keys.ExchangePrivate;
        keys.Dispose();
        Assert.True(exchange.IndexOfAnyExcept((byte)0) < 0);
        Assert.Throws<ObjectDisposedException>(() => keys.Sign(Context, "hello"u8, new byte[64]));
    }

    [Theory]
    [InlineData("")]
    [InlineData("naïve")]
    [InlineData("line\nbreak")]
    [InlineData("nul\0")]
    public void SignatureContext_names_that_could_be_confused_are_refused(string name) =>
        Assert.Throws<ArgumentException>(() => new SignatureContext(name));
}
