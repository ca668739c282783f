using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Carrier.Core;

namespace Carrier;

/// <summary>The operating system's generator by way of libsodium, for keys and everything else a node draws. Any number of threads may share it.</summary>
/// <remarks>
/// Small requests are served from a block each thread fetched at once: a handshake asks some twenty times, and a call of the system's costs more than the bytes. What is
/// handed out is wiped here; what waits lies pinned, so that the collector leaves no copies.
/// </remarks>
public sealed unsafe partial class SystemRandomSource : RandomSource
{
    private const int BlockBytes = 512;
    private const int SmallBytes = 64;

    [ThreadStatic]
    private static byte[]? _block;

    [ThreadStatic]
    private static int _leftBytes;

    // Its first use of the system's generator is not for two threads at once; sodium_init is, and may be called again.
    private SystemRandomSource() => _ = sodium_init();

    public static SystemRandomSource Shared { get; } = new();

    public override void Fill(Span<byte> destination)
    {
        if (destination.Length > SmallBytes)
        {
            Draw(destination);
            return;
        }

        byte[] block = _block ??= GC.AllocateUninitializedArray<byte>(BlockBytes, pinned: true);
        if (_leftBytes < destination.Length)
        {
            Draw(block);
            _leftBytes = BlockBytes;
        }

        Span<byte> taken = block.AsSpan(BlockBytes - _leftBytes, destination.Length);
        taken.CopyTo(destination);
        CryptographicOperations.ZeroMemory(taken);
        _leftBytes -= destination.Length;
    }

    private static void Draw(Span<byte> destination)
    {
        fixed (byte* bytes = destination)
        {
            randombytes_buf(bytes, (nuint)destination.Length);
        }
    }

    /// <summary>getrandom or its like; the process ends where the system has no randomness. The framework's generator would map all of OpenSSL.</summary>
    [LibraryImport("libsodium")]
    private static partial void randombytes_buf(byte* buffer, nuint size);

    [LibraryImport("libsodium")]
    private static partial int sodium_init();
}
