using System.Security.Cryptography;
using Carrier.Core.Identity;

namespace Carrier.Agent.Transfer;

/// <summary>Names a transfer, so that its sender can come back to it: the same sender with byte for byte the same offer.</summary>
/// <remarks><c>SHA-256("carrier files v1" ‖ sender's TrustID ‖ offer)</c>, the first 16 bytes. Computed by the receiver and never sent.</remarks>
internal readonly record struct TransferId
{
    private const int Bytes = 16;

    private readonly UInt128 _value;

    private TransferId(UInt128 value) => _value = value;

    public static TransferId Of(TrustId sender, ReadOnlySpan<byte> offer)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> id = stackalloc byte[TrustId.Bytes];
        sender.CopyTo(id);
        hash.AppendData("carrier files v1"u8);
        hash.AppendData(id);
        hash.AppendData(offer);
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        hash.GetHashAndReset(digest);
        return new TransferId(System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(digest[..Bytes]));
    }

    /// <summary>Thirty-two hex digits: the name of its folder.</summary>
    public override string ToString() => _value.ToString("x32", System.Globalization.CultureInfo.InvariantCulture);
}
