using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Handshake;
using Carrier.Tests.Crypto;

namespace Carrier.Tests.Handshake;

public sealed class HandshakeTests : IDisposable
{
    private readonly HandshakeFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public void A_handshake_gives_both_sides_each_others_payload_and_matching_keys()
    {
        using HandshakeInitiator initiator = _fixture.Dial();
        byte[] initiation = HandshakeFixture.Write(initiator);
        Assert.Equal(1200, initiation.Length);
        using HandshakeResponder responder = _fixture.Accept(initiation);
        Assert.Equal(_fixture.Alice.Public, responder.InitiatorKey);
        Assert.Equal("alice's delegation"u8, responder.Initiation.Delegation);
        Assert.Equal("chat/1", responder.Initiation.Protocol);
        Assert.Equal(0xA1A1UL, responder.Initiation.ConnectionId);
        Assert.Equal("app"u8, responder.Initiation.ApplicationId);
        Assert.True(responder.TryRespond(new CountingRandom(0x40), HandshakeFixture.BobPayload, out SessionKeys? bobs));
        byte[] response = HandshakeFixture.Write(responder);
        Assert.True(HandshakeInitiator.TryReadHandshakeId(response, out ulong id));
        Assert.Equal(initiator.HandshakeId, id);
        Assert.True(initiator.TryReadResponse(Instant.Zero, response, out SessionKeys? alices));
        Assert.Equal("bob's delegation"u8, initiator.Response.Delegation);
        Assert.Equal(0xB2B2UL, initiator.Response.ConnectionId);
        Assert.Equal(alices.SendSecret, bobs.ReceiveSecret);
        Assert.Equal(bobs.SendSecret, alices.ReceiveSecret);
        Assert.Equal(bobs.HandshakeHash, alices.HandshakeHash);
        Assert.False(alices.SendSecret.SequenceEqual(alices.ReceiveSecret));
        Assert.Equal(CipherSuite.ChaCha20Poly1305, alices.Suite);
        alices.Dispose();
        bobs.Dispose();
        Assert.Throws<ObjectDisposedException>(() => alices.SendSecret.Length);
    }

    [Fact]
    public void TryWrite_again_is_the_same_datagram_and_any_copy_completes()
    {
        using HandshakeInitiator initiator = _fixture.Dial();
        byte[] first = HandshakeFixture.Write(initiator);
        Assert.Equal(first, HandshakeFixture.Write(initiator));
        Assert.True(HandshakeFixture.Write(initiator, isPadded: false).Length < 1200);
        using HandshakeResponder responder = _fixture.Accept(first);
        Assert.True(responder.TryRespond(new CountingRandom(0x40), HandshakeFixture.BobPayload, out SessionKeys? keys));
        keys.Dispose();
        Assert.False(responder.TryRespond(new CountingRandom(0x50), HandshakeFixture.BobPayload, out _)); // one handshake, one key
        Assert.Equal(HandshakeFixture.Write(responder), HandshakeFixture.Write(responder));
        Assert.False(responder.TryWrite(100, new byte[1400], out int bytes)); // never more than was asked
        Assert.Equal(0, bytes);
    }

    [Fact]
    public void TryRead_of_any_bit_flip_or_truncation_is_silence()
    {
        using HandshakeInitiator initiator = _fixture.Dial();
        byte[] initiation = HandshakeFixture.Write(initiator, isPadded: false);
        for (int length = 0; length < initiation.Length; length++)
        {
            Assert.False(HandshakeResponder.TryRead(_fixture.Bob, HandshakeFixture.TrustId, initiation.AsSpan(0, length), _fixture.Drops, out _));
        }

        for (int bit = 0; bit < initiation.Length * 8; bit++)
        {
            byte[] bad = [.. initiation];
            bad[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(HandshakeResponder.TryRead(_fixture.Bob, HandshakeFixture.TrustId, bad, _fixture.Drops, out _));
        }
    }

    [Fact]
    public void TryRead_for_another_TrustID_or_by_another_key_is_silence()
    {
        using HandshakeInitiator initiator = _fixture.Dial();
        byte[] initiation = HandshakeFixture.Write(initiator);
        Assert.False(HandshakeResponder.TryRead(_fixture.Bob, new byte[20], initiation, _fixture.Drops, out _));
        Assert.False(HandshakeResponder.TryRead(_fixture.Alice, HandshakeFixture.TrustId, initiation, _fixture.Drops, out _));
        Assert.Equal(2, _fixture.Drops[DropReason.DecryptFailed]);
    }

    [Fact]
    public void TryReadResponse_of_a_forged_flood_changes_nothing_and_is_bounded()
    {
        using HandshakeInitiator initiator = _fixture.Dial();
        using HandshakeResponder responder = _fixture.Accept(HandshakeFixture.Write(initiator));
        Assert.True(responder.TryRespond(new CountingRandom(0x40), HandshakeFixture.BobPayload, out SessionKeys? bobs));
        byte[] response = HandshakeFixture.Write(responder);
        Instant now = Instant.Zero + TimeSpan.FromSeconds(5);
        for (int i = 9; i < response.Length; i++)
        {
            byte[] bad = [.. response];
            bad[i] ^= 0x40;
            Assert.False(initiator.TryReadResponse(now, bad, out _));
            Assert.False(initiator.TryReadResponse(now, response.AsSpan(0, i), out _));
        }

        Assert.False(initiator.TryReadResponse(now, response, out _)); // the second's work is spent
        Assert.True(initiator.TryReadResponse(now + TimeSpan.FromSeconds(1), response, out SessionKeys? alices));
        Assert.Equal(bobs.SendSecret, alices.ReceiveSecret);
        Assert.False(initiator.TryReadResponse(now + TimeSpan.FromSeconds(2), response, out _));
        alices.Dispose();
        bobs.Dispose();
    }

    [Fact]
    public void TryReadResponse_with_a_suite_not_offered_is_refused()
    {
        using HandshakeInitiator initiator = _fixture.Dial();
        using HandshakeResponder responder = _fixture.Accept(HandshakeFixture.Write(initiator));
        HandshakePayload payload = new() { ResetToken = new byte[16], CipherSuites = new[] { CipherSuite.Aes256Gcm } };
        Assert.True(responder.TryRespond(new CountingRandom(0x40), payload, out SessionKeys? keys));
        keys.Dispose();
        Assert.False(initiator.TryReadResponse(Instant.Zero, HandshakeFixture.Write(responder), out _));
    }

    [Fact]
    public void A_handshake_with_fixed_keys_gives_the_golden_bytes()
    {
        Dictionary<string, byte[]> vector = CryptoVectors.Read("handshake.txt");
        using HandshakeInitiator initiator = _fixture.Dial();
        byte[] initiation = HandshakeFixture.Write(initiator, isPadded: false);
        CryptoVectors.AssertHex(vector["initiation"], initiation);
        using HandshakeResponder responder = _fixture.Accept(initiation);
        Assert.True(responder.TryRespond(new CountingRandom(0x40), HandshakeFixture.BobPayload, out SessionKeys? keys));
        CryptoVectors.AssertHex(vector["response"], HandshakeFixture.Write(responder));
        CryptoVectors.AssertHex(vector["responder-send-secret"], keys.SendSecret);
        CryptoVectors.AssertHex(vector["responder-receive-secret"], keys.ReceiveSecret);
        CryptoVectors.AssertHex(vector["handshake-hash"], keys.HandshakeHash);
        keys.Dispose();
    }

    [Fact]
    public void TryReadRetry_of_the_golden_retry_repeats_the_initiation_with_its_cookie()
    {
        Dictionary<string, byte[]> vector = CryptoVectors.Read("handshake.txt");
        using HandshakeInitiator initiator = _fixture.Dial();
        Assert.True(initiator.TryReadRetry(vector["retry"]));
        CryptoVectors.AssertHex(vector["initiation-with-cookie"], HandshakeFixture.Write(initiator, isPadded: false));
        for (int length = 0; length < 10; length++)
        {
            Assert.False(initiator.TryReadRetry(vector["retry"].AsSpan(0, length)));
        }

        vector["retry"][1] ^= 1;
        Assert.False(initiator.TryReadRetry(vector["retry"]), "of another handshake");
    }
}
