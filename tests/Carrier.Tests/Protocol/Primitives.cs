using System.Buffers.Binary;
using System.Numerics;
using System.Security.Cryptography;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.Math.EC.Rfc7748;

namespace Carrier.Tests.Protocol;

/// <summary>What docs/protocol.md takes from other documents, from other people's code than Carrier runs on: BouncyCastle, the platform, or the RFC by hand.</summary>
internal static class Primitives
{
    private const int TagBytes = 16;

    public static byte[] PublicOf(byte[] privateKey)
    {
        byte[] point = new byte[X25519.PointSize];
        X25519.GeneratePublicKey(privateKey, 0, point, 0);
        return point;
    }

    public static byte[] Agree(byte[] privateKey, byte[] publicKey)
    {
        byte[] shared = new byte[X25519.PointSize];
        Assert.True(X25519.CalculateAgreement(privateKey, 0, publicKey, 0, shared, 0));
        return shared;
    }

    /// <summary>RFC 5869 §2.2; the platform's own refuses the empty input that Noise's Split() has.</summary>
    public static byte[] Extract(ReadOnlySpan<byte> salt, ReadOnlySpan<byte> input) => HMACSHA256.HashData(salt, input);

    public static byte[] Expand(ReadOnlySpan<byte> secret, ReadOnlySpan<byte> info, int bytes)
    {
        byte[] output = new byte[bytes];
        HKDF.Expand(HashAlgorithmName.SHA256, secret, output, info);
        return output;
    }

    /// <summary>RFC 8439 §2.8.</summary>
    public static byte[] Seal(byte[] key, byte[] nonce, byte[] associatedData, byte[] plaintext) => Process(forEncryption: true, key, nonce, associatedData, plaintext);

    public static byte[] Open(byte[] key, byte[] nonce, byte[] associatedData, byte[] ciphertext) => Process(forEncryption: false, key, nonce, associatedData, ciphertext);

    /// <summary>XChaCha20-Poly1305: HChaCha20 of the first 16 bytes of the nonce makes the key, four zeros and the last 8 the nonce.</summary>
    public static byte[] SealX(byte[] key, byte[] nonce24, byte[] associatedData, byte[] plaintext) =>
        Seal(HChaCha20(key, nonce24.AsSpan(0, 16)), [0, 0, 0, 0, .. nonce24.AsSpan(16)], associatedData, plaintext);

    public static byte[] OpenX(byte[] key, byte[] nonce24, byte[] associatedData, byte[] ciphertext) =>
        Open(HChaCha20(key, nonce24.AsSpan(0, 16)), [0, 0, 0, 0, .. nonce24.AsSpan(16)], associatedData, ciphertext);

    private static byte[] Process(bool forEncryption, byte[] key, byte[] nonce, byte[] associatedData, byte[] input)
    {
        Org.BouncyCastle.Crypto.Modes.ChaCha20Poly1305 cipher = new();
        cipher.Init(forEncryption, new AeadParameters(new KeyParameter(key), 8 * TagBytes, nonce, associatedData));
        byte[] output = new byte[cipher.GetOutputSize(input.Length)];
        int written = cipher.ProcessBytes(input, 0, input.Length, output, 0);
        _ = cipher.DoFinal(output, written);
        return output;
    }

    /// <summary>draft-irtf-cfrg-xchacha-03 §2.2.</summary>
    private static byte[] HChaCha20(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce16)
    {
        uint[] state = new uint[16];
        ReadOnlySpan<byte> constants = "expand 32-byte k"u8;
        for (int i = 0; i < 4; i++)
        {
            state[i] = BinaryPrimitives.ReadUInt32LittleEndian(constants[(4 * i)..]);
            state[12 + i] = BinaryPrimitives.ReadUInt32LittleEndian(nonce16[(4 * i)..]);
        }

        for (int i = 0; i < 8; i++)
        {
            state[4 + i] = BinaryPrimitives.ReadUInt32LittleEndian(key[(4 * i)..]);
        }

        for (int round = 0; round < 10; round++)
        {
            for (int i = 0; i < 4; i++)
            {
                QuarterRound(state, i, 4 + i, 8 + i, 12 + i);
            }

            for (int i = 0; i < 4; i++)
            {
                QuarterRound(state, i, 4 + ((i + 1) % 4), 8 + ((i + 2) % 4), 12 + ((i + 3) % 4));
            }
        }

        byte[] output = new byte[32];
        for (int i = 0; i < 4; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(output.AsSpan(4 * i), state[i]);
            BinaryPrimitives.WriteUInt32LittleEndian(output.AsSpan(16 + (4 * i)), state[12 + i]);
        }

        return output;
    }

    private static void QuarterRound(uint[] s, int a, int b, int c, int d)
    {
        s[a] += s[b];
        s[d] = BitOperations.RotateLeft(s[d] ^ s[a], 16);
        s[c] += s[d];
        s[b] = BitOperations.RotateLeft(s[b] ^ s[c], 12);
        s[a] += s[b];
        s[d] = BitOperations.RotateLeft(s[d] ^ s[a], 8);
        s[c] += s[d];
        s[b] = BitOperations.RotateLeft(s[b] ^ s[c], 7);
    }
}
