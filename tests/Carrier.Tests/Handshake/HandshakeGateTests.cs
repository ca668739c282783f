using Carrier.Core;
using Carrier.Core.Handshake;
using Carrier.Tests.Crypto;

namespace Carrier.Tests.Handshake;

public sealed class HandshakeGateTests : IDisposable
{
    private static readonly Instant Start = Instant.Zero + TimeSpan.FromMinutes(10);
    private static readonly NetworkPath Path = new(Endpoint.FromIPv4(0x08080808, 9));

    private readonly HandshakeFixture _fixture = new();
    private readonly DropCounters _drops = new();
    private readonly HandshakeGate _gate;
    private readonly byte[] _retry = new byte[HandshakeGate.RetryBytes];

    public HandshakeGateTests() => _gate = new HandshakeGate(new CountingRandom(7), _drops);

    public void Dispose()
    {
        _gate.Dispose();
        _fixture.Dispose();
    }

    [Fact]
    public void Admit_of_spoofed_flood_asks_cookies_and_admits_no_more_than_the_threshold()
    {
        int admitted = 0;
        int retries = 0;
        for (int i = 0; i < 50_000; i++)
        {
            NetworkPath spoofed = new(Endpoint.FromIPv4(0x0B000000 + (uint)i, 7));
            byte[] forged = Forged(i);
            switch (_gate.Admit(Start + TimeSpan.FromMicroseconds(20 * i), spoofed, forged))
            {
                case HandshakeAdmission.Admit:
                    admitted++;
                    break;
                case HandshakeAdmission.Retry:
                    retries++;
                    Assert.InRange(_gate.WriteRetry(Start, spoofed, forged, _retry), 1, forged.Length - 1);
                    break;
                default:
                    Assert.Fail("A flood is neither duplicate nor refused before its cookie.");
                    break;
            }
        }

        Assert.InRange(admitted, 1, HandshakeGate.UncookiedBurst + HandshakeGate.UncookiedPerSecond + 1); // the burst and one second's rate: all the X25519 there is
        Assert.Equal(50_000, admitted + retries);
    }

    [Fact]
    public void Admit_with_the_cookie_of_a_retry_passes_under_load()
    {
        using HandshakeInitiator initiator = _fixture.Dial();
        PutUnderLoad();
        byte[] initiation = HandshakeFixture.Write(initiator);
        Assert.Equal(HandshakeAdmission.Retry, _gate.Admit(Start, Path, initiation));
        Assert.Equal(HandshakeGate.RetryBytes, _gate.WriteRetry(Start, Path, initiation, _retry));
        Assert.True(initiator.TryReadRetry(_retry));
        initiation = HandshakeFixture.Write(initiator);
        Assert.Equal(1200, initiation.Length);
        Assert.Equal(HandshakeAdmission.Admit, _gate.Admit(Start, Path, initiation));
        using HandshakeResponder responder = _fixture.Accept(initiation);
    }

    [Fact]
    public void Admit_with_a_cookie_of_another_address_handshake_or_time_asks_again()
    {
        using HandshakeInitiator initiator = _fixture.Dial();
        using HandshakeInitiator other = _fixture.Dial(0x77);
        _ = _gate.WriteRetry(Start, Path, HandshakeFixture.Write(initiator), _retry);
        Assert.True(initiator.TryReadRetry(_retry));
        Assert.False(other.TryReadRetry(_retry));
        byte[] initiation = HandshakeFixture.Write(initiator);
        PutUnderLoad();
        Assert.Equal(HandshakeAdmission.Retry, _gate.Admit(Start, Path with { Remote = Path.Remote.WithPort(10) }, initiation));
        Assert.Equal(HandshakeAdmission.Retry, _gate.Admit(Start, new(Endpoint.FromIPv4(0x08080809, 9)), initiation));
        Assert.Equal(HandshakeAdmission.Retry, _gate.Admit(Start, Path with { RelayChannel = 5 }, initiation));
        byte[] changed = [.. initiation];
        changed[2] ^= 1; // another handshake id
        Assert.Equal(HandshakeAdmission.Retry, _gate.Admit(Start, Path, changed));
        changed = [.. initiation];
        changed[11 + 16 + 2] ^= 1; // another ephemeral key
        Assert.Equal(HandshakeAdmission.Retry, _gate.Admit(Start, Path, changed));
        Instant late = Start + (2 * HandshakeGate.CookieEpoch);
        PutUnderLoad(late);
        Assert.Equal(HandshakeAdmission.Retry, _gate.Admit(late, Path, initiation));
    }

    [Fact]
    public void Admit_of_one_proven_source_is_capped()
    {
        int admitted = 0;
        for (byte seed = 0; seed < 100; seed++)
        {
            using HandshakeInitiator initiator = _fixture.Dial(seed);
            _ = _gate.WriteRetry(Start, Path, HandshakeFixture.Write(initiator), _retry);
            Assert.True(initiator.TryReadRetry(_retry));
            admitted += _gate.Admit(Start, Path, HandshakeFixture.Write(initiator)) == HandshakeAdmission.Admit ? 1 : 0;
        }

        Assert.Equal(HandshakeGate.AdmittedPerSourceBurst, admitted);
        Assert.Equal(100 - admitted, _drops[DropReason.RateLimited]);
    }

    [Fact]
    public void Admit_of_handshakes_that_are_confirmed_never_asks_a_cookie()
    {
        for (int i = 0; i < 2_000; i++)
        {
            Instant now = Start + TimeSpan.FromMicroseconds(250 * i);
            Assert.Equal(HandshakeAdmission.Admit, _gate.Admit(now, Path, Forged(i)));
            _gate.Confirmed(Path);
        }
    }

    [Fact]
    public void Admit_with_cookies_of_one_source_whose_handshakes_are_confirmed_is_not_capped()
    {
        PutUnderLoad();
        for (int i = 0; i < 500; i++)
        {
            byte[] initiation = Forged(100_000 + i);
            _ = _gate.WriteRetry(Start, Path, initiation, _retry);
            Assert.Equal(HandshakeAdmission.Admit, _gate.Admit(Start, Path, WithCookie(initiation, _retry)));
            _gate.Confirmed(Path);
            PutUnderLoad();
        }
    }

    [Fact]
    public void Admit_of_a_remembered_initiation_is_a_duplicate_until_bounded_memory_forgets()
    {
        using HandshakeInitiator initiator = _fixture.Dial();
        byte[] initiation = HandshakeFixture.Write(initiator);
        Assert.Equal(HandshakeAdmission.Admit, _gate.Admit(Start, Path, initiation));
        _gate.Remember(initiation);
        Assert.Equal(HandshakeAdmission.Duplicate, _gate.Admit(Start, Path, initiation));
        Assert.Equal(HandshakeAdmission.Duplicate, _gate.Admit(Start + TimeSpan.FromDays(1), new(Endpoint.FromIPv4(1, 1)), initiation));
        for (int i = 0; i < HandshakeGate.MaxRememberedEphemerals; i++)
        {
            _gate.Remember(Forged(i));
        }

        Assert.Equal(HandshakeAdmission.Duplicate, _gate.Admit(Start, Path, initiation));
        for (int i = 0; i < HandshakeGate.MaxRememberedEphemerals; i++)
        {
            _gate.Remember(Forged(1_000_000 + i));
        }

        Assert.NotEqual(HandshakeAdmission.Duplicate, _gate.Admit(Start + TimeSpan.FromDays(2), Path, initiation));
    }

    [Fact]
    public void Admit_of_an_unpadded_initiation_on_a_direct_path_is_dropped()
    {
        using HandshakeInitiator initiator = _fixture.Dial();
        byte[] initiation = HandshakeFixture.Write(initiator, isPadded: false);
        Assert.Equal(HandshakeAdmission.Drop, _gate.Admit(Start, Path, initiation));
        Assert.Equal(HandshakeAdmission.Admit, _gate.Admit(Start, Path with { RelayChannel = 3 }, initiation));
        Assert.Equal(HandshakeAdmission.Drop, _gate.Admit(Start, Path, default));
    }

    private static byte[] Forged(int i)
    {
        byte[] datagram = new byte[1200];
        datagram[0] = 0x50;
        datagram[1] = 1;
        datagram[12] = 200; // noise length
        BitConverter.TryWriteBytes(datagram.AsSpan(13), i + 1);
        return datagram;
    }

    // 0x50 ‖ version ‖ handshake id 8 ‖ cookie length ‖ cookie ‖ …, padded to the same length.
    private static byte[] WithCookie(byte[] initiation, byte[] retry)
    {
        const int cookieAt = 11;
        byte[] cookie = retry[9..];
        byte[] with = new byte[initiation.Length];
        initiation.AsSpan(0, cookieAt).CopyTo(with);
        with[cookieAt - 1] = (byte)cookie.Length;
        cookie.CopyTo(with, cookieAt);
        initiation.AsSpan(cookieAt, initiation.Length - cookieAt - cookie.Length).CopyTo(with.AsSpan(cookieAt + cookie.Length));
        return with;
    }

    private void PutUnderLoad(Instant? now = null)
    {
        int i = 0;
        while (_gate.Admit(now ?? Start, Path, Forged(++i)) != HandshakeAdmission.Retry)
        {
            Assert.True(i < 1000);
        }
    }
}
