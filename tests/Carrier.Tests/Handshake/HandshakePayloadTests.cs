using Carrier.Core.Crypto;
using Carrier.Core.Handshake;
using Carrier.Fuzz.Targets;
using CsCheck;

namespace Carrier.Tests.Handshake;

public sealed class HandshakePayloadTests
{
    [Fact]
    public void TryRead_of_every_truncation_flip_and_random_bytes_never_throws_and_reencodes_the_same()
    {
        byte[] buffer = new byte[1024];
        Assert.True(HandshakeFixture.AlicePayload.TryWrite(buffer, out int written));
        byte[] golden = buffer[..written];
        Assert.True(HandshakePayload.TryRead(golden, out _));
        for (int length = 0; length < golden.Length; length++)
        {
            Assert.False(HandshakePayload.TryRead(golden.AsSpan(0, length), out _));
        }

        for (int bit = 0; bit < golden.Length * 8; bit++)
        {
            byte[] bad = [.. golden];
            bad[bit / 8] ^= (byte)(1 << (bit % 8));
            CryptoTargets.HandshakePayloads(bad);
        }

        Gen.Byte.Array[0, 300].Sample(bytes =>
        {
            CryptoTargets.HandshakePayloads(bytes);
            CryptoTargets.HandshakeDatagrams(bytes);
            CryptoTargets.SealedDatagrams(bytes);
        });
    }

    [Fact]
    public void TryRead_skips_unknown_keys_and_refuses_missing_or_oversized_ones()
    {
        byte[] buffer = new byte[1024];
        Assert.True(HandshakeFixture.BobPayload.TryWrite(buffer, out int written));
        byte[] known = buffer[..written];
        byte[] later = [(byte)(known[0] + 1), .. known[1..], 0x18, 99, 0x82, 1, 2];
        Assert.True(HandshakePayload.TryRead(later, out HandshakePayload payload));
        Assert.Equal(0xB2B2UL, payload.ConnectionId);
        Assert.False(HandshakePayload.TryRead([.. known, 0], out _));
        Assert.False(HandshakePayload.TryRead([0xA0], out _));
        HandshakePayload oversized = new() { Delegation = new byte[HandshakePayload.MaxDelegationBytes + 1], ResetToken = new byte[16], CipherSuites = new[] { CipherSuite.Aes256Gcm } };
        Assert.True(oversized.TryWrite(buffer, out written));
        Assert.False(HandshakePayload.TryRead(buffer.AsSpan(0, written), out _));
    }

    [Fact]
    public void TryCreate_with_a_payload_too_long_for_a_datagram_is_refused()
    {
        using HandshakeFixture fixture = new();
        HandshakePayload huge = new() { Delegation = new byte[1100], ResetToken = new byte[16], CipherSuites = new[] { CipherSuite.Aes256Gcm } };
        Assert.False(HandshakeInitiator.TryCreate(
            fixture.Alice, fixture.Bob.Public, HandshakeFixture.TrustId, new Crypto.CountingRandom(1), huge, out _));
    }
}
