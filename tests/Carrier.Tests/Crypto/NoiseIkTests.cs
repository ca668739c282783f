using System.Text.Json;
using Carrier.Core.Crypto;

namespace Carrier.Tests.Crypto;

public sealed class NoiseIkTests
{
    /// <summary>The published cacophony vector for this very protocol, the transport messages too.</summary>
    [Fact]
    public void A_handshake_gives_the_bytes_of_the_published_vector()
    {
        using JsonDocument file = JsonDocument.Parse(File.ReadAllText(
            Path.Combine(AppContext.BaseDirectory, "Vectors", "noise", "ik-25519-chachapoly-sha256.json")));
        JsonElement vector = file.RootElement;
        byte[] Hex(string name) => Convert.FromHexString(vector.GetProperty(name).GetString()!);
        (byte[] Payload, byte[] Ciphertext)[] messages = [.. vector.GetProperty("messages").EnumerateArray().Select(m =>
            (Convert.FromHexString(m.GetProperty("payload").GetString()!), Convert.FromHexString(m.GetProperty("ciphertext").GetString()!)))];
        using var initiatorStatic = TransportKey.Import(Hex("init_static"));
        using var responderStatic = TransportKey.Import(Hex("resp_static"));
        CryptoVectors.AssertHex(Hex("init_remote_static"), responderStatic.Public.Span);
        using var initiator = NoiseIk.Initiator(
            initiatorStatic, TransportKey.Import(Hex("init_ephemeral")), responderStatic.Public, Hex("init_prologue"));
        using var responder = NoiseIk.Responder(responderStatic, Hex("resp_prologue"));

        byte[] message = new byte[messages[0].Ciphertext.Length];
        byte[] payload = new byte[messages[0].Payload.Length];
        Assert.True(initiator.TryWriteInitiation(messages[0].Payload, message));
        CryptoVectors.AssertHex(messages[0].Ciphertext, message);
        Assert.True(responder.TryReadInitiation(message, payload));
        Assert.Equal(messages[0].Payload, payload);
        Assert.Equal(initiatorStatic.Public, responder.RemoteStatic);

        message = new byte[messages[1].Ciphertext.Length];
        payload = new byte[messages[1].Payload.Length];
        Assert.True(responder.TryWriteResponse(TransportKey.Import(Hex("resp_ephemeral")), messages[1].Payload, message));
        CryptoVectors.AssertHex(messages[1].Ciphertext, message);
        Assert.True(initiator.TryReadResponse(message, payload));
        Assert.Equal(messages[1].Payload, payload);
        CryptoVectors.AssertHex(Hex("handshake_hash"), initiator.HandshakeHash);
        CryptoVectors.AssertHex(Hex("handshake_hash"), responder.HandshakeHash);

        byte[] initiatorKey = new byte[32];
        byte[] responderKey = new byte[32];
        responder.Split(initiatorKey, responderKey);
        for (int i = 2; i < messages.Length; i++)
        {
            using var cipher = new System.Security.Cryptography.ChaCha20Poly1305(i % 2 == 0 ? initiatorKey : responderKey);
            byte[] nonce = new byte[12];
            nonce[4] = (byte)((i - 2) / 2);
            byte[] opened = new byte[messages[i].Payload.Length];
            cipher.Decrypt(nonce, messages[i].Ciphertext[..^16], messages[i].Ciphertext[^16..], opened);
            Assert.Equal(messages[i].Payload, opened);
        }
    }

    [Fact]
    public void A_forged_message_changes_nothing_on_either_side()
    {
        using var initiatorStatic = TransportKey.Generate(new CountingRandom(1));
        using var responderStatic = TransportKey.Generate(new CountingRandom(2));
        using var initiator = NoiseIk.Initiator(initiatorStatic, TransportKey.Generate(new CountingRandom(3)), responderStatic.Public, "p"u8);
        using var responder = NoiseIk.Responder(responderStatic, "p"u8);
        byte[] message = new byte[NoiseIk.InitiationOverheadBytes + 3];
        Assert.True(initiator.TryWriteInitiation("abc"u8, message));
        byte[] payload = new byte[3];
        for (int i = 0; i < message.Length; i++)
        {
            byte[] bad = [.. message];
            bad[i] ^= 1;
            Assert.False(responder.TryReadInitiation(bad, payload));
            Assert.False(responder.TryReadInitiation(message.AsSpan(0, i), payload));
        }

        Assert.True(responder.TryReadInitiation(message, payload));
        message = new byte[NoiseIk.ResponseOverheadBytes + 3];
        Assert.True(responder.TryWriteResponse(TransportKey.Generate(new CountingRandom(4)), "def"u8, message));
        for (int i = 0; i < message.Length; i++)
        {
            byte[] bad = [.. message];
            bad[i] ^= 1;
            Assert.False(initiator.TryReadResponse(bad, payload));
            Assert.False(initiator.TryReadResponse(message.AsSpan(0, i), payload));
        }

        Assert.True(initiator.TryReadResponse(message, payload));
        Assert.Equal("def"u8, payload);
        Assert.Equal(responder.HandshakeHash, initiator.HandshakeHash);
    }

    [Fact]
    public void Low_order_points_are_refused_wherever_they_stand()
    {
        using var own = TransportKey.Generate(new CountingRandom(1));
        Assert.All(LowOrderPoints.All, point =>
        {
            using var initiator = NoiseIk.Initiator(own, TransportKey.Generate(new CountingRandom(3)), point, default);
            Assert.False(initiator.TryWriteInitiation(default, new byte[200]));
            using var responder = NoiseIk.Responder(own, default);
            Assert.False(responder.TryReadInitiation([.. point.Span, .. new byte[64]], new byte[64]));
            using var asking = NoiseIk.Initiator(own, TransportKey.Generate(new CountingRandom(3)), own.Public, default);
            Assert.True(asking.TryWriteInitiation(default, new byte[200]));
            Assert.False(asking.TryReadResponse([.. point.Span, .. new byte[16]], new byte[16]));
        });
    }
}
