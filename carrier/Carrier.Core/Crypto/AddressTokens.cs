using System.Buffers.Binary;

namespace Carrier.Core.Crypto;

/// <summary>Proof that an asker receives what is sent to its address, handed out in every answer and shown in later questions.</summary>
/// <remarks>
/// An <em>address token</em> is bound to the address and port and allows answers longer than their question. A <em>write token</em> is
/// further bound to the asker's key and the target and is what a put must show (BEP 5's token, with the key added). Sixteen bytes each,
/// accepted for 5 to 10 minutes, worthless after a restart. The holder treats them as opaque.
/// </remarks>
public sealed class AddressTokens(RandomSource random) : IDisposable
{
    public const int TokenBytes = RotatingMac.Bytes;
    public const int TargetBytes = 20;

    /// <summary>A token is accepted in the epoch it was issued in and the next one.</summary>
    public static readonly TimeSpan Epoch = TimeSpan.FromMinutes(5);

    private const byte AddressTag = 1;
    private const byte WriteTag = 2;
    private const int AddressMessageBytes = 1 + 16 + 2;
    private const int WriteMessageBytes = AddressMessageBytes + PublicKey.Bytes + TargetBytes;

    private readonly RotatingMac _mac = new(random, Epoch);

    public void Issue(Instant now, Endpoint remote, Span<byte> token16)
    {
        Span<byte> message = stackalloc byte[AddressMessageBytes];
        WriteAddress(AddressTag, remote, message);
        _mac.Write(now, message, token16);
    }

    public bool TryVerify(Instant now, Endpoint remote, ReadOnlySpan<byte> token)
    {
        Span<byte> message = stackalloc byte[AddressMessageBytes];
        WriteAddress(AddressTag, remote, message);
        return _mac.Verify(now, message, token);
    }

    public void IssueWrite(Instant now, Endpoint remote, in PublicKey asker, ReadOnlySpan<byte> target20, Span<byte> token16)
    {
        Span<byte> message = stackalloc byte[WriteMessageBytes];
        WriteTarget(remote, asker, target20, message);
        _mac.Write(now, message, token16);
    }

    public bool TryVerifyWrite(Instant now, Endpoint remote, in PublicKey asker, ReadOnlySpan<byte> target20, ReadOnlySpan<byte> token)
    {
        Span<byte> message = stackalloc byte[WriteMessageBytes];
        WriteTarget(remote, asker, target20, message);
        return _mac.Verify(now, message, token);
    }

    public void Dispose() => _mac.Dispose();

    private static void WriteTarget(Endpoint remote, in PublicKey asker, ReadOnlySpan<byte> target20, Span<byte> message)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(target20.Length, TargetBytes);
        WriteAddress(WriteTag, remote, message);
        asker.Span.CopyTo(message[AddressMessageBytes..]);
        target20.CopyTo(message[(AddressMessageBytes + PublicKey.Bytes)..]);
    }

    private static void WriteAddress(byte tag, Endpoint remote, Span<byte> message)
    {
        message[..AddressMessageBytes].Clear();
        message[0] = tag;
        _ = remote.WriteAddress(message[1..]); // a v4 address leaves twelve zeros; the IPv6 address 'a.b.c.d::' is nobody's
        BinaryPrimitives.WriteUInt16BigEndian(message[17..], remote.Port);
    }
}
