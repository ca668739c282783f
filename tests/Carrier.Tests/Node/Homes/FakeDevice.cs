using System.Buffers.Binary;
using System.Security.Cryptography;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Node.Homes;

namespace Carrier.Tests.Node.Homes;

/// <summary>A device whose delegation is its own number and whose signature is a hash keyed by it: enough to tell a right proof from a wrong one.</summary>
internal sealed class FakeDevice(int number, int owner = 0)
{
    public byte[] Delegation { get; } = [.. BitConverter.GetBytes(number), .. BitConverter.GetBytes(owner)];

    public PublicKey ExchangeKey => KeyOf(Delegation);

    public static PublicKey KeyOf(ReadOnlySpan<byte> delegation) => new(SHA256.HashData(delegation));

    public static void Sign(ReadOnlySpan<byte> delegation, ReadOnlySpan<byte> message, Span<byte> signature) =>
        HMACSHA512.HashData(delegation, message, signature);

    public static bool Verify(
        ReadOnlySpan<byte> delegation, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature, UnixTime wall, out ProvenDevice device)
    {
        Span<byte> expected = stackalloc byte[HomeProof.SignatureBytes];
        Sign(delegation, message, expected);
        device = new(KeyOf(delegation), (UInt128)BinaryPrimitives.ReadUInt32LittleEndian(delegation[4..]));
        return expected.SequenceEqual(signature);
    }

    public byte[] Question(HomeMethod method, PublicKey home, UnixTime time)
    {
        byte[] message = new byte[HomeProof.Bytes];
        byte[] signature = new byte[HomeProof.SignatureBytes];
        HomeProof.Write(message, method, home, time);
        Sign(Delegation, message, signature);
        byte[] body = new byte[RegisterQuestion.MaxBytes];
        return body[..new RegisterQuestion { Delegation = Delegation, Time = time, Signature = signature }.Encode(body)];
    }
}
