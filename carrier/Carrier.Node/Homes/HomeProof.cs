using System.Buffers.Binary;
using Carrier.Core;
using Carrier.Core.Crypto;

namespace Carrier.Node.Homes;

/// <summary>Signs with the device's Ed25519 key: 64 bytes into <paramref name="signature"/>.</summary>
public delegate void DeviceSigner(ReadOnlySpan<byte> message, Span<byte> signature);

/// <summary>Checks a delegation (owner's signature, validity, revocation, use) and the device's signature over <paramref name="message"/>.</summary>
public delegate bool DeviceVerifier(
    ReadOnlySpan<byte> delegation, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature, UnixTime wall, out ProvenDevice device);

/// <summary>Who stands behind a verified proof.</summary>
/// <param name="ExchangeKey">The device's X25519 key, by which diallers ask for it.</param>
/// <param name="Owner">The first sixteen bytes of the owner's TrustID: all that counting needs.</param>
public readonly record struct ProvenDevice(PublicKey ExchangeKey, UInt128 Owner);

/// <summary>The message a device signs to prove to one home that it wants to register or leave.</summary>
/// <remarks>
/// <code>
/// "carrier home 1\0" (120) | method (8) | home transport key (256) | unix time in seconds (64)
/// </code>
/// The home's key is in it, so one home cannot use the proof at another. The time only has to be fresh by the home's clock. Replays to the
/// same home die in the sealed layer (address token and nonce cache).
/// </remarks>
public static class HomeProof
{
    public const int Bytes = 15 + 1 + PublicKey.Bytes + sizeof(long);

    public const int SignatureBytes = 64;

    public static void Write(Span<byte> message, HomeMethod method, PublicKey home, UnixTime time)
    {
        "carrier home 1\0"u8.CopyTo(message);
        message[15] = (byte)method;
        home.Span.CopyTo(message[16..]);
        BinaryPrimitives.WriteInt64BigEndian(message[(16 + PublicKey.Bytes)..], time.Seconds);
    }
}
