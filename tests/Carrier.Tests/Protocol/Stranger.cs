using System.Buffers.Binary;
using System.Formats.Cbor;

namespace Carrier.Tests.Protocol;

/// <summary>A second implementation of the smallest useful part of Carrier, written from docs/protocol.md alone: it pings, dials and sends one packet.</summary>
/// <remarks>It uses nothing of Carrier's projects. Where it and they disagree, the document misleads or one of them is wrong.</remarks>
internal static class Stranger
{
    /// <summary>§4: a sealed question.</summary>
    public static byte[] SealQuestion(byte[] askerPrivate, byte[] receiverPublic, byte[] nonce24, byte[] payload, int padToBytes)
    {
        byte[] asker = Primitives.PublicOf(askerPrivate);
        byte[] header = [0x40, .. asker];
        byte[] plaintext = new byte[Math.Max(2 + payload.Length, padToBytes - 33 - 24 - 16)];
        BinaryPrimitives.WriteUInt16BigEndian(plaintext, (ushort)payload.Length);
        payload.CopyTo(plaintext, 2);
        byte[] key = Expand(Secret(askerPrivate, receiverPublic), "question", asker, receiverPublic);
        return [.. header, .. nonce24, .. Primitives.SealX(key, nonce24, header, plaintext)];
    }

    /// <summary>§4: the payload of an answer to a question of ours.</summary>
    public static byte[] OpenAnswer(byte[] askerPrivate, byte[] receiverPublic, byte[] datagram)
    {
        Assert.Equal(0x41, datagram[0]);
        byte[] key = Expand(Secret(askerPrivate, receiverPublic), "answer", Primitives.PublicOf(askerPrivate), receiverPublic);
        byte[] plaintext = Primitives.OpenX(key, datagram[1..25], [0x41], datagram[25..]);
        int length = BinaryPrimitives.ReadUInt16BigEndian(plaintext);
        Assert.All(plaintext[(2 + length)..], padding => Assert.Equal(0, padding));
        return plaintext[2..(2 + length)];
    }

    /// <summary>§7.2: the payload of a ping.</summary>
    public static byte[] Ping(ulong callId)
    {
        CborWriter writer = new(CborConformanceMode.Canonical);
        writer.WriteStartMap(3);
        writer.WriteInt32(0);
        writer.WriteUInt64(callId);
        writer.WriteInt32(1);
        writer.WriteInt32(0);
        writer.WriteInt32(4);
        writer.WriteStartMap(0);
        writer.WriteEndMap();
        writer.WriteEndMap();
        return writer.Encode();
    }

    /// <summary>§5: the payload of either handshake message; null leaves a key out.</summary>
    public static byte[] HandshakePayload(
        byte[] delegation, string? protocol, ulong connectionId, byte[] resetToken, byte[] parameters, byte[] suites, byte[] candidates, byte[]? application)
    {
        CborWriter writer = new(CborConformanceMode.Canonical);
        writer.WriteStartMap(6 + (protocol is null ? 0 : 1) + (application is null ? 0 : 1));
        WriteBytes(writer, 1, delegation);
        if (protocol is not null)
        {
            writer.WriteInt32(2);
            writer.WriteTextString(protocol);
        }

        WriteBytes(writer, 3, BigEndian(connectionId));
        WriteBytes(writer, 4, resetToken);
        WriteBytes(writer, 5, parameters);
        WriteBytes(writer, 6, suites);
        WriteBytes(writer, 7, candidates);
        if (application is not null)
        {
            WriteBytes(writer, 8, application);
        }

        writer.WriteEndMap();
        return writer.Encode();
    }

    /// <summary>§5: the prologue both sides begin with.</summary>
    public static byte[] Prologue(byte[] targetTrustId, byte[] handshakeId) => [.. "carrier handshake "u8, 1, .. targetTrustId, .. handshakeId];

    /// <summary>§5: the initiation datagram; the cookie is that of a retry.</summary>
    public static byte[] Initiation(byte[] handshakeId, byte[] noise, int padToBytes, params byte[] cookie)
    {
        byte[] datagram = [0x50, 1, .. handshakeId, (byte)cookie.Length, .. cookie, (byte)(noise.Length >> 8), (byte)noise.Length, .. noise];
        Array.Resize(ref datagram, Math.Max(datagram.Length, padToBytes));
        return datagram;
    }

    /// <summary>§5: the cookie of a retry.</summary>
    public static byte[] CookieOfRetry(byte[] datagram, byte[] handshakeId)
    {
        Assert.Equal([0x52, .. handshakeId], datagram[..9]);
        return datagram[9..];
    }

    /// <summary>§9: what a home forwards, and what it forwards it as.</summary>
    public static byte[] Relayed(ulong channel, byte[] inner) => [0x42, .. BigEndian(channel), .. inner];

    /// <summary>§5: the response datagram.</summary>
    public static byte[] Response(byte[] handshakeId, byte[] noise) => [0x51, .. handshakeId, (byte)(noise.Length >> 8), (byte)noise.Length, .. noise];

    /// <summary>§5: the noise message of a response.</summary>
    public static byte[] NoiseOfResponse(byte[] datagram, byte[] handshakeId)
    {
        Assert.Equal([0x51, .. handshakeId], datagram[..9]);
        Assert.Equal(datagram.Length - 11, BinaryPrimitives.ReadUInt16BigEndian(datagram.AsSpan(9)));
        return datagram[11..];
    }

    /// <summary>§5 and §6: a session packet under ChaCha20-Poly1305.</summary>
    public static byte[] Packet(byte[] secret, byte[] connectionId, ulong number, byte[] frames, int phase = 0)
    {
        byte[] header = [(byte)(0x60 | phase), .. connectionId, .. BigEndian(number)[4..]];
        return [.. header, .. Primitives.Seal(Primitives.Expand(secret, "carrier 1 packet key"u8, 32), Nonce(secret, number), header, frames)];
    }

    /// <summary>§6: the frames of a packet to us.</summary>
    public static byte[] OpenPacket(byte[] secret, ulong number, byte[] packet) =>
        Primitives.Open(Primitives.Expand(secret, "carrier 1 packet key"u8, 32), Nonce(secret, number), packet[..13], packet[13..]);

    public static byte[] BigEndian(ulong value)
    {
        byte[] bytes = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, value);
        return bytes;
    }

    private static byte[] Secret(byte[] ownPrivate, byte[] otherPublic) =>
        Primitives.Extract("carrier 1 sealed message"u8, Primitives.Agree(ownPrivate, otherPublic));

    private static byte[] Expand(byte[] secret, string label, byte[] asker, byte[] receiver) =>
        Primitives.Expand(secret, [.. System.Text.Encoding.ASCII.GetBytes(label), .. asker, .. receiver], 32);

    private static byte[] Nonce(byte[] secret, ulong number)
    {
        byte[] nonce = Primitives.Expand(secret, "carrier 1 packet iv"u8, 12);
        byte[] counter = BigEndian(number);
        for (int i = 0; i < counter.Length; i++)
        {
            nonce[4 + i] ^= counter[i];
        }

        return nonce;
    }

    private static void WriteBytes(CborWriter writer, int key, byte[] value)
    {
        writer.WriteInt32(key);
        writer.WriteByteString(value);
    }
}
