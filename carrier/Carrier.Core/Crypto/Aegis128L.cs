using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Security.Cryptography;
using Arm = System.Runtime.Intrinsics.Arm;
using X86 = System.Runtime.Intrinsics.X86;

namespace Carrier.Core.Crypto;

/// <summary>AEGIS-128L with a 128-bit tag (draft-irtf-cfrg-aegis-aead §4), on the CPU's AES round instruction and nothing else.</summary>
/// <remarks>
/// libsodium only offers the 256-bit tag, sixteen bytes more a packet; its ciphertext is the same and the tests hold this one against it.
/// Constant in time because the instruction is: there is no table and no secret-dependent branch, and no software fallback on purpose.
/// </remarks>
internal ref struct Aegis128L
{
    public const int KeyBytes = 16;
    public const int NonceBytes = 16;
    public const int TagBytes = 16;

    private const int RateBytes = 32;
    private const int InitialRounds = 10;
    private const int FinalRounds = 7;

    private Vector128<byte> _s0;
    private Vector128<byte> _s1;
    private Vector128<byte> _s2;
    private Vector128<byte> _s3;
    private Vector128<byte> _s4;
    private Vector128<byte> _s5;
    private Vector128<byte> _s6;
    private Vector128<byte> _s7;

    private Aegis128L(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce)
    {
        // The Fibonacci sequence modulo 256, as the draft spells it.
        var c0 = Vector128.Create((byte)0x00, 0x01, 0x01, 0x02, 0x03, 0x05, 0x08, 0x0d, 0x15, 0x22, 0x37, 0x59, 0x90, 0xe9, 0x79, 0x62);
        var c1 = Vector128.Create((byte)0xdb, 0x3d, 0x18, 0x55, 0x6d, 0xc2, 0x2f, 0xf1, 0x20, 0x11, 0x31, 0x42, 0x73, 0xb5, 0x28, 0xdd);
        var k = Vector128.Create(key[..KeyBytes]);
        var n = Vector128.Create(nonce[..NonceBytes]);
        _s0 = k ^ n;
        _s1 = c1;
        _s2 = c0;
        _s3 = c1;
        _s4 = k ^ n;
        _s5 = k ^ c0;
        _s6 = k ^ c1;
        _s7 = k ^ c0;
        for (int i = 0; i < InitialRounds; i++)
        {
            Update(n, k);
        }
    }

    public static bool IsSupported => X86.Aes.IsSupported || Arm.Aes.IsSupported;

    /// <summary>Writes ciphertext ‖ tag; <paramref name="plaintext"/> may be the start of <paramref name="destination"/> itself.</summary>
    [SkipLocalsInit]
    public static void Seal(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> header, ReadOnlySpan<byte> plaintext, Span<byte> destination)
    {
        Aegis128L state = new(key, nonce);
        state.Absorb(header);
        int wholeBytes = plaintext.Length & -RateBytes;
        state.EncryptBlocks(ref MemoryMarshal.GetReference(plaintext), ref MemoryMarshal.GetReference(destination), wholeBytes);
        ReadOnlySpan<byte> rest = plaintext[wholeBytes..];
        if (!rest.IsEmpty)
        {
            Span<byte> block = stackalloc byte[RateBytes];
            block.Clear();
            rest.CopyTo(block);
            state.EncryptBlocks(ref MemoryMarshal.GetReference(block), ref MemoryMarshal.GetReference(block), RateBytes);
            block[..rest.Length].CopyTo(destination[wholeBytes..]);
        }

        state.Tag(header.Length, plaintext.Length).CopyTo(destination[plaintext.Length..]);
    }

    /// <summary>Opens ciphertext ‖ tag in place. When the tag is wrong, every byte is wiped, so that no unauthentic plaintext escapes.</summary>
    public static bool TryOpen(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> header, Span<byte> sealedBytes)
    {
        Aegis128L state = new(key, nonce);
        state.Absorb(header);
        Span<byte> text = sealedBytes[..^TagBytes];
        int wholeBytes = text.Length & -RateBytes;
        state.DecryptBlocks(ref MemoryMarshal.GetReference(text), wholeBytes);
        if (wholeBytes != text.Length)
        {
            state.DecryptLast(text[wholeBytes..]);
        }

        Span<byte> tag = stackalloc byte[TagBytes];
        state.Tag(header.Length, text.Length).CopyTo(tag);
        if (CryptographicOperations.FixedTimeEquals(tag, sealedBytes[^TagBytes..]))
        {
            return true;
        }

        CryptographicOperations.ZeroMemory(sealedBytes);
        return false;
    }

    private readonly Vector128<byte> KeyStream0 => _s6 ^ _s1 ^ (_s2 & _s3);

    private readonly Vector128<byte> KeyStream1 => _s2 ^ _s5 ^ (_s6 & _s7);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Round(Vector128<byte> word, Vector128<byte> roundKey) => X86.Aes.IsSupported
        ? X86.Aes.Encrypt(word, roundKey)
        : Arm.Aes.MixColumns(Arm.Aes.Encrypt(word, Vector128<byte>.Zero)) ^ roundKey;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Update(Vector128<byte> m0, Vector128<byte> m1)
    {
        Vector128<byte> last = _s7;
        _s7 = Round(_s6, _s7);
        _s6 = Round(_s5, _s6);
        _s5 = Round(_s4, _s5);
        _s4 = Round(_s3, _s4 ^ m1);
        _s3 = Round(_s2, _s3);
        _s2 = Round(_s1, _s2);
        _s1 = Round(_s0, _s1);
        _s0 = Round(last, _s0 ^ m0);
    }

    private void Absorb(ReadOnlySpan<byte> header)
    {
        while (header.Length >= RateBytes)
        {
            Update(Vector128.Create(header), Vector128.Create(header[16..]));
            header = header[RateBytes..];
        }

        if (!header.IsEmpty)
        {
            Span<byte> block = stackalloc byte[RateBytes];
            block.Clear();
            header.CopyTo(block);
            Update(Vector128.Create<byte>(block), Vector128.Create<byte>(block[16..]));
        }
    }

    /// <summary>Whole blocks. The state is copied to locals because the compiler keeps no struct of eight fields in registers.</summary>
    private void EncryptBlocks(ref byte source, ref byte target, int bytes)
    {
        (Vector128<byte> s0, Vector128<byte> s1, Vector128<byte> s2, Vector128<byte> s3) = (_s0, _s1, _s2, _s3);
        (Vector128<byte> s4, Vector128<byte> s5, Vector128<byte> s6, Vector128<byte> s7) = (_s4, _s5, _s6, _s7);
        for (nuint at = 0; at < (nuint)bytes; at += RateBytes)
        {
            var m0 = Vector128.LoadUnsafe(ref source, at);
            var m1 = Vector128.LoadUnsafe(ref source, at + 16);
            (m0 ^ s6 ^ s1 ^ (s2 & s3)).StoreUnsafe(ref target, at);
            (m1 ^ s2 ^ s5 ^ (s6 & s7)).StoreUnsafe(ref target, at + 16);
            Vector128<byte> last = s7;
            s7 = Round(s6, s7);
            s6 = Round(s5, s6);
            s5 = Round(s4, s5);
            s4 = Round(s3, s4 ^ m1);
            s3 = Round(s2, s3);
            s2 = Round(s1, s2);
            s1 = Round(s0, s1);
            s0 = Round(last, s0 ^ m0);
        }

        (_s0, _s1, _s2, _s3) = (s0, s1, s2, s3);
        (_s4, _s5, _s6, _s7) = (s4, s5, s6, s7);
    }

    /// <summary>Whole blocks, in place.</summary>
    private void DecryptBlocks(ref byte text, int bytes)
    {
        (Vector128<byte> s0, Vector128<byte> s1, Vector128<byte> s2, Vector128<byte> s3) = (_s0, _s1, _s2, _s3);
        (Vector128<byte> s4, Vector128<byte> s5, Vector128<byte> s6, Vector128<byte> s7) = (_s4, _s5, _s6, _s7);
        for (nuint at = 0; at < (nuint)bytes; at += RateBytes)
        {
            Vector128<byte> m0 = Vector128.LoadUnsafe(ref text, at) ^ s6 ^ s1 ^ (s2 & s3);
            Vector128<byte> m1 = Vector128.LoadUnsafe(ref text, at + 16) ^ s2 ^ s5 ^ (s6 & s7);
            m0.StoreUnsafe(ref text, at);
            m1.StoreUnsafe(ref text, at + 16);
            Vector128<byte> last = s7;
            s7 = Round(s6, s7);
            s6 = Round(s5, s6);
            s5 = Round(s4, s5);
            s4 = Round(s3, s4 ^ m1);
            s3 = Round(s2, s3);
            s2 = Round(s1, s2);
            s1 = Round(s0, s1);
            s0 = Round(last, s0 ^ m0);
        }

        (_s0, _s1, _s2, _s3) = (s0, s1, s2, s3);
        (_s4, _s5, _s6, _s7) = (s4, s5, s6, s7);
    }

    /// <summary>A short last block is absorbed as its plaintext and zeros, not as whatever the key stream leaves behind it.</summary>
    private void DecryptLast(Span<byte> text)
    {
        Span<byte> block = stackalloc byte[RateBytes];
        block.Clear();
        text.CopyTo(block);
        (Vector128.Create<byte>(block) ^ KeyStream0).CopyTo(block);
        (Vector128.Create<byte>(block[16..]) ^ KeyStream1).CopyTo(block[16..]);
        block[text.Length..].Clear();
        block[..text.Length].CopyTo(text);
        Update(Vector128.Create<byte>(block), Vector128.Create<byte>(block[16..]));
    }

    private Vector128<byte> Tag(int headerBytes, int textBytes)
    {
        Span<byte> lengths = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(lengths, (ulong)headerBytes * 8);
        BinaryPrimitives.WriteUInt64LittleEndian(lengths[8..], (ulong)textBytes * 8);
        Vector128<byte> t = _s2 ^ Vector128.Create<byte>(lengths);
        for (int i = 0; i < FinalRounds; i++)
        {
            Update(t, t);
        }

        return _s0 ^ _s1 ^ _s2 ^ _s3 ^ _s4 ^ _s5 ^ _s6;
    }
}
