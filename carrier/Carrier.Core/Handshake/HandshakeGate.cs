using System.Buffers.Binary;
using Carrier.Core.Crypto;
using Carrier.Core.Wire;

namespace Carrier.Core.Handshake;

/// <summary>What to do with an initiation, decided before any X25519.</summary>
public enum HandshakeAdmission
{
    /// <summary>Nothing; the reason was counted.</summary>
    Drop,

    /// <summary>Open it with <see cref="HandshakeResponder.TryRead"/>; one of the budget was spent.</summary>
    Admit,

    /// <summary>This initiation was opened before: send the same response again if that handshake still waits, else nothing.</summary>
    Duplicate,

    /// <summary>Answer with <see cref="HandshakeGate.WriteRetry"/> and forget it.</summary>
    Retry,
}

/// <summary>Stands before the responder: bounds what strangers can make a node compute and remember (WireGuard §5.3, RFC 9000 §8.1.2).</summary>
/// <remarks>
/// Load is work that came to nothing. Each admission spends tokens, and a handshake whose initiator then confirms it, as only one that is there
/// and holds the keys can, gives them back by <see cref="Confirmed"/>: honest diallers may come as fast as the node computes.
/// </remarks>
public sealed class HandshakeGate : IDisposable
{
    /// <summary>Initiations a second without cookie that came to nothing, beyond which a cookie is asked: below two percent of a core.</summary>
    public const int UncookiedPerSecond = 100;

    /// <summary>Such initiations under way at once: as many handshakes may run side by side before cookies are asked.</summary>
    public const int UncookiedBurst = 256;

    /// <summary>Initiations opened a second at most, cookie or not, confirmed or not: with the response five X25519 each, about a core.</summary>
    public const int AdmittedPerSecond = 5_000;

    /// <summary>What one source unit gets once cookies are asked, of initiations that come to nothing.</summary>
    public const int AdmittedPerSourcePerSecond = 20;

    /// <summary>Such initiations of one source unit under way at once.</summary>
    public const int AdmittedPerSourceBurst = 64;

    /// <summary>Ephemeral keys remembered a generation. Forgetting one is safe: a replayed initiation surfaces no session, it only costs.</summary>
    public const int MaxRememberedEphemerals = 4096;

    /// <summary>0x52 ‖ handshake id 8 ‖ cookie 16.</summary>
    public const int RetryBytes = RetryDatagram.OverheadBytes + RotatingMac.Bytes;

    /// <summary>A cookie is accepted in the epoch it was made in and the next.</summary>
    public static readonly TimeSpan CookieEpoch = TimeSpan.FromMinutes(1);

    private const int CookieMessageBytes = 16 + 2 + sizeof(ulong) + sizeof(ulong) + PublicKey.Bytes;

    private static readonly TokenRate UncookiedRate = new(UncookiedPerSecond, UncookiedBurst);
    private static readonly TokenRate AdmittedRate = new(AdmittedPerSecond, AdmittedPerSecond);

    private readonly RotatingMac _cookies;
    private readonly EndpointBuckets _sources;
    private readonly DropCounters _drops;
    private TokenBucket _uncookied;
    private TokenBucket _admitted;
    private HashSet<PublicKey> _seen = [];
    private HashSet<PublicKey> _seenBefore = [];

    public HandshakeGate(RandomSource random, DropCounters drops)
    {
        _cookies = new RotatingMac(random, CookieEpoch);
        _sources = new EndpointBuckets(new TokenRate(AdmittedPerSourcePerSecond, AdmittedPerSourceBurst), random);
        _drops = drops;
    }

    public HandshakeAdmission Admit(Instant now, in NetworkPath path, ReadOnlySpan<byte> datagram)
    {
        if (!InitiationDatagram.TryRead(datagram, out InitiationDatagram initiation)
            || (!path.IsRelayed && datagram.Length < InitiationDatagram.MaxBytes))
        {
            _drops.Count(DropReason.Malformed);
            return HandshakeAdmission.Drop;
        }

        if (_seen.Contains(initiation.Ephemeral) || _seenBefore.Contains(initiation.Ephemeral))
        {
            _drops.Count(DropReason.Replayed);
            return HandshakeAdmission.Duplicate;
        }

        bool hasCookie = HasCookie(now, path, initiation);
        if (!hasCookie && !_uncookied.TrySpend(now, UncookiedRate))
        {
            _drops.Count(DropReason.UnprovenAddress);
            return HandshakeAdmission.Retry;
        }

        if ((hasCookie && !_sources.TrySpend(now, path.Remote.SourceUnit)) || !_admitted.TrySpend(now, AdmittedRate))
        {
            _drops.Count(DropReason.RateLimited);
            return HandshakeAdmission.Drop;
        }

        return HandshakeAdmission.Admit;
    }

    /// <summary>The initiator of an initiation that came over <paramref name="path"/> proved that it is there: what was spent on it comes back.</summary>
    public void Confirmed(in NetworkPath path)
    {
        _uncookied.Return(UncookiedRate);
        _sources.Return(path.Remote.SourceUnit);
    }

    /// <summary>Remembers an initiation that opened. Never one that did not: garbage must not push honest ones out.</summary>
    public void Remember(ReadOnlySpan<byte> datagram)
    {
        if (!InitiationDatagram.TryRead(datagram, out InitiationDatagram initiation))
        {
            return;
        }

        if (_seen.Count >= MaxRememberedEphemerals)
        {
            (_seenBefore, _seen) = (_seen, _seenBefore);
            _seen.Clear();
        }

        _ = _seen.Add(initiation.Ephemeral);
    }

    /// <summary>Answers an initiation with a cookie bound to where it came from and what it was; nothing is kept of it.</summary>
    /// <returns><see cref="RetryBytes"/>, always less than was asked; zero for what is no initiation.</returns>
    public int WriteRetry(Instant now, in NetworkPath path, ReadOnlySpan<byte> datagram, Span<byte> retry)
    {
        if (!InitiationDatagram.TryRead(datagram, out InitiationDatagram initiation))
        {
            return 0;
        }

        Span<byte> message = stackalloc byte[CookieMessageBytes];
        WriteCookieMessage(path, initiation, message);
        retry[0] = (byte)PacketKind.HandshakeRetry;
        BinaryPrimitives.WriteUInt64BigEndian(retry[1..], initiation.HandshakeId);
        _cookies.Write(now, message, retry[RetryDatagram.OverheadBytes..]);
        return RetryBytes;
    }

    public void Dispose() => _cookies.Dispose();

    private bool HasCookie(Instant now, in NetworkPath path, in InitiationDatagram initiation)
    {
        if (initiation.Cookie.IsEmpty)
        {
            return false;
        }

        Span<byte> message = stackalloc byte[CookieMessageBytes];
        WriteCookieMessage(path, initiation, message);
        return _cookies.Verify(now, message, initiation.Cookie);
    }

    private static void WriteCookieMessage(in NetworkPath path, in InitiationDatagram initiation, Span<byte> message)
    {
        message.Clear();
        _ = path.Remote.WriteAddress(message);
        BinaryPrimitives.WriteUInt16BigEndian(message[16..], path.Remote.Port);
        BinaryPrimitives.WriteUInt64BigEndian(message[18..], path.RelayChannel);
        BinaryPrimitives.WriteUInt64BigEndian(message[26..], initiation.HandshakeId);
        initiation.Noise[..PublicKey.Bytes].CopyTo(message[34..]);
    }
}
