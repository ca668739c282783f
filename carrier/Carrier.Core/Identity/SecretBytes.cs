using System.Security.Cryptography;

namespace Carrier.Core.Identity;

/// <summary>Key material of a fixed length: pinned, so that the collector leaves no copies behind, and zeroed on dispose.</summary>
internal sealed class SecretBytes : IDisposable
{
    private readonly byte[] _bytes;
    private bool _disposed;

    public SecretBytes(int length) => _bytes = GC.AllocateArray<byte>(length, pinned: true);

    public SecretBytes(ReadOnlySpan<byte> secret)
        : this(secret.Length) => secret.CopyTo(_bytes);

    /// <summary>The live bytes; a use after dispose is a fault of ours and throws, for it would sign with a key of zeros.</summary>
    public Span<byte> Span
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _bytes;
        }
    }

    public void Dispose()
    {
        _disposed = true;
        CryptographicOperations.ZeroMemory(_bytes);
    }
}
