using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Handshake;
using Carrier.Tests.Crypto;

namespace Carrier.Tests.Handshake;

/// <summary>Alice dials Bob, with predictable keys.</summary>
internal sealed class HandshakeFixture : IDisposable
{
    public static readonly byte[] TrustId = Enumerable.Repeat((byte)0xB0, 20).ToArray();

    public TransportKey Alice { get; } = TransportKey.Generate(new CountingRandom(0x10));

    public TransportKey Bob { get; } = TransportKey.Generate(new CountingRandom(0x20));

    public DropCounters Drops { get; } = new();

    public static HandshakePayload AlicePayload => new()
    {
        Delegation = "alice's delegation"u8,
        Protocol = "chat/1",
        ConnectionId = 0xA1A1,
        ResetToken = new byte[16],
        TransportParameters = [1, 2, 3],
        CipherSuites = new[] { CipherSuite.Aegis128L, CipherSuite.ChaCha20Poly1305 },
        Candidates = [4, 5],
        ApplicationId = "app"u8,
    };

    public static HandshakePayload BobPayload => new()
    {
        Delegation = "bob's delegation"u8,
        ConnectionId = 0xB2B2,
        ResetToken = new byte[16],
        TransportParameters = [6],
        CipherSuites = new[] { CipherSuite.ChaCha20Poly1305 },
        Candidates = default,
    };

    public HandshakeInitiator Dial(byte seed = 0x30)
    {
        Assert.True(HandshakeInitiator.TryCreate(Alice, Bob.Public, TrustId, new CountingRandom(seed), AlicePayload, out HandshakeInitiator? initiator));
        return initiator;
    }

    public HandshakeResponder Accept(byte[] initiation)
    {
        Assert.True(HandshakeResponder.TryRead(Bob, TrustId, initiation, Drops, out HandshakeResponder? responder));
        return responder;
    }

    public static byte[] Write(HandshakeInitiator initiator, bool isPadded = true)
    {
        byte[] buffer = new byte[1400];
        Assert.True(initiator.TryWrite(isPadded, buffer, out int bytes));
        return buffer[..bytes];
    }

    public static byte[] Write(HandshakeResponder responder)
    {
        byte[] buffer = new byte[1400];
        Assert.True(responder.TryWrite(1200, buffer, out int bytes));
        return buffer[..bytes];
    }

    public void Dispose()
    {
        Alice.Dispose();
        Bob.Dispose();
    }
}
