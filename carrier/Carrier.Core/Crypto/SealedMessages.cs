using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Carrier.Core.Wire;

namespace Carrier.Core.Crypto;

/// <summary>Sealed messages of one node: questions sealed to a receiver's transport key, and the answers to them.</summary>
/// <remarks>
/// <code>
/// question                                    answer
/// 0   1  0x40                                 0   1  0x41
/// 1  32  asker's ephemeral X25519 key         1   8  call id
/// 33 24  nonce, random                        9  16  nonce tail, random
/// 57  n  XChaCha20-Poly1305 ‖ tag 16          25  n  XChaCha20-Poly1305 ‖ tag 16 (nonce = call id ‖ tail)
///
/// sealed: length 2 ‖ payload ‖ zero padding
/// </code>
/// The associated data is what precedes the nonce. Keys come of X25519 between the asker's ephemeral and the receiver's static key, with both
/// public keys in the derivation, and differ a direction. The asker key is made anew every run and every <see cref="AskerKeyLifetime"/>, so
/// no two runs, not even of a cloned data folder, share a key. Agreed keys are cached on both sides.
/// </remarks>
public sealed class SealedMessages : IDisposable
{
    /// <summary>No sealed datagram is longer, sent or received.</summary>
    public const int MaxDatagramBytes = 1400;

    /// <summary>What a question adds to its payload, padding aside.</summary>
    public const int QuestionOverheadBytes = QuestionHeaderBytes + NonceBytes + LengthBytes + TagBytes;

    /// <summary>What an answer adds to its payload.</summary>
    public const int AnswerOverheadBytes = AnswerHeaderBytes + NonceBytes + LengthBytes + TagBytes;

    /// <summary>Peers whose keys are kept on each side: 64 bytes of key and about as much of index each.</summary>
    public const int MaxCachedPeers = 4096;

    /// <summary>X25519 agreements a second for askers not cached: 43 µs each, a fifth of a core, and a tenth of
    /// a second's worth at once. More is <see cref="DropReason.RateLimited"/>.</summary>
    public const int AgreementsPerSecond = 5000;

    /// <summary>How long one asker key is used, and so how long our questions can be told to come from one asker.</summary>
    public static readonly TimeSpan AskerKeyLifetime = TimeSpan.FromHours(1);

    /// <summary>How long answers to the key before are still opened; longer than any call waits.</summary>
    public static readonly TimeSpan PreviousAskerKeyLifetime = TimeSpan.FromMinutes(1);

    private static readonly TokenRate AgreementRate = new(AgreementsPerSecond, AgreementsPerSecond / 10);

    private const int QuestionHeaderBytes = 1 + PublicKey.Bytes;
    private const int AnswerHeaderBytes = 1;
    private const int CallIdBytes = sizeof(ulong);
    private const int NonceBytes = XChaCha20Poly1305.NonceBytes;
    private const int TagBytes = XChaCha20Poly1305.TagBytes;
    private const int LengthBytes = sizeof(ushort);
    private const int KeyBytes = XChaCha20Poly1305.KeyBytes;

    private readonly TransportKey _own;
    private readonly RandomSource _random;
    private readonly DropCounters _drops;
    private readonly SharedKeyCache _askers = new(MaxCachedPeers);
    private TokenBucket _agreements;
    private AskerKey _current;
    private AskerKey? _previous;

    /// <summary>The key stays the caller's, and must outlive this; the rest is disposed with this.</summary>
    public SealedMessages(TransportKey own, RandomSource random, DropCounters drops)
    {
        ArgumentNullException.ThrowIfNull(own);
        _own = own;
        _random = random;
        _drops = drops;
        _current = new AskerKey(random, Instant.Never); // replaced by the first question, which knows the time
    }

    /// <summary>X25519 agreements made so far, either side; what a flood is measured by.</summary>
    public long Agreements { get; private set; }

    /// <summary>Seals a question. False when it does not fit or the receiver's key is no usable point.</summary>
    /// <param name="padToDatagramBytes">The least length of the datagram: what the answer may be as long as. Zero for no padding.</param>
    public bool TrySealQuestion(
        Instant now, in PublicKey receiver, ReadOnlySpan<byte> plaintext, int padToDatagramBytes, Span<byte> datagram, out int datagramBytes)
    {
        RotateAskerKey(now);
        datagramBytes = Math.Max(QuestionOverheadBytes + plaintext.Length, padToDatagramBytes);
        Span<byte> keys = stackalloc byte[SharedKeyCache.EntryBytes];
        if (datagramBytes > Math.Min(MaxDatagramBytes, datagram.Length) || !TryKeysOfReceiver(_current, receiver, keys))
        {
            datagramBytes = 0;
            return false;
        }

        Span<byte> target = datagram[..datagramBytes];
        target[0] = (byte)PacketKind.SealedQuestion;
        _current.Key.Public.Span.CopyTo(target[1..]);
        _random.Fill(target.Slice(QuestionHeaderBytes, NonceBytes));
        Seal(keys[..KeyBytes], target, QuestionHeaderBytes, plaintext);
        CryptographicOperations.ZeroMemory(keys);
        return true;
    }

    /// <summary>The call an answer claims to belong to; believed only when <see cref="TryOpenAnswer"/> succeeds with the key that call asked.</summary>
    public static bool TryReadCallId(ReadOnlySpan<byte> answerDatagram, out ulong callId)
    {
        bool isAnswer = HasShape(answerDatagram, PacketKind.SealedAnswer, AnswerOverheadBytes);
        callId = isAnswer ? BinaryPrimitives.ReadUInt64BigEndian(answerDatagram[AnswerHeaderBytes..]) : 0;
        return isAnswer;
    }

    /// <summary>Opens an answer from the node we asked, in place; also one to a question sealed just before our asker key changed.</summary>
    public bool TryOpenAnswer(Instant now, scoped in PublicKey askedKey, Span<byte> datagram, out Span<byte> plaintext)
    {
        plaintext = default;
        if (!HasShape(datagram, PacketKind.SealedAnswer, AnswerOverheadBytes))
        {
            _drops.Count(DropReason.Malformed);
            return false;
        }

        ForgetPreviousKey(now);
        Span<byte> keys = stackalloc byte[SharedKeyCache.EntryBytes];
        bool opened = false;
        for (AskerKey? asker = _current; asker is not null && !opened; asker = asker == _current ? _previous : null)
        {
            opened = TryKeysOfReceiver(asker, askedKey, keys) && TryDecrypt(keys[KeyBytes..], datagram, AnswerHeaderBytes);
        }

        CryptographicOperations.ZeroMemory(keys);
        return TryUnpad(opened, datagram[(AnswerHeaderBytes + NonceBytes)..^TagBytes], out plaintext);
    }

    /// <summary>Opens a question to us, in place. What fails is counted and leaves nothing behind.</summary>
    public bool TryOpenQuestion(Instant now, Span<byte> datagram, out PublicKey asker, out Span<byte> plaintext)
    {
        asker = default;
        plaintext = default;
        if (!HasShape(datagram, PacketKind.SealedQuestion, QuestionOverheadBytes))
        {
            _drops.Count(DropReason.Malformed);
            return false;
        }

        PublicKey claimed = new(datagram.Slice(1, PublicKey.Bytes));
        Span<byte> keys = stackalloc byte[SharedKeyCache.EntryBytes];
        bool isKnown = _askers.TryUse(claimed, out ReadOnlySpan<byte> cached);
        if (isKnown)
        {
            cached.CopyTo(keys);
        }
        else if (!_agreements.TrySpend(now, AgreementRate))
        {
            _drops.Count(DropReason.RateLimited);
            return false;
        }
        else if (!TryAgree(_own, claimed, claimed, _own.Public, keys))
        {
            _drops.Count(DropReason.DecryptFailed);
            return false;
        }

        bool opened = TryDecrypt(keys[..KeyBytes], datagram, QuestionHeaderBytes);
        if (opened && !isKnown)
        {
            _askers.Add(claimed, keys); // only now: garbage does not turn the cache over
        }

        CryptographicOperations.ZeroMemory(keys);
        asker = opened ? claimed : default;
        return TryUnpad(opened, datagram[(QuestionHeaderBytes + NonceBytes)..^TagBytes], out plaintext);
    }

    /// <summary>Seals the answer to a question just opened. False when it is longer than <paramref name="maxDatagramBytes"/> allows: the length of
    /// the question, unless that carried a valid address token.</summary>
    public bool TrySealAnswer(
        in PublicKey asker, ulong callId, ReadOnlySpan<byte> plaintext, int maxDatagramBytes, Span<byte> datagram, out int datagramBytes)
    {
        datagramBytes = AnswerOverheadBytes + plaintext.Length;
        Span<byte> keys = stackalloc byte[SharedKeyCache.EntryBytes];
        if (datagramBytes > Math.Min(Math.Min(MaxDatagramBytes, maxDatagramBytes), datagram.Length) || !TryKeysOfAsker(asker, keys))
        {
            datagramBytes = 0;
            return false;
        }

        Span<byte> target = datagram[..datagramBytes];
        target[0] = (byte)PacketKind.SealedAnswer;
        BinaryPrimitives.WriteUInt64BigEndian(target[AnswerHeaderBytes..], callId);
        _random.Fill(target.Slice(AnswerHeaderBytes + CallIdBytes, NonceBytes - CallIdBytes));
        Seal(keys[KeyBytes..], target, AnswerHeaderBytes, plaintext);
        CryptographicOperations.ZeroMemory(keys);
        return true;
    }

    public void Dispose()
    {
        _current.Dispose();
        _previous?.Dispose();
        _askers.Dispose();
    }

    private static bool HasShape(ReadOnlySpan<byte> datagram, PacketKind kind, int minBytes) =>
        datagram.Length >= minBytes && datagram.Length <= MaxDatagramBytes && datagram[0] == (byte)kind;

    private static void Seal(ReadOnlySpan<byte> key, Span<byte> datagram, int headerBytes, ReadOnlySpan<byte> plaintext)
    {
        Span<byte> sealedBytes = datagram[(headerBytes + NonceBytes)..];
        plaintext.CopyTo(sealedBytes[LengthBytes..]);
        BinaryPrimitives.WriteUInt16BigEndian(sealedBytes, (ushort)plaintext.Length);
        sealedBytes[(LengthBytes + plaintext.Length)..].Clear();
        XChaCha20Poly1305.Seal(key, datagram.Slice(headerBytes, NonceBytes), datagram[..headerBytes], sealedBytes);
    }

    /// <summary>Decrypts in place only when the tag is right, so that another key may be tried on the same bytes.</summary>
    [SkipLocalsInit]
    private static bool TryDecrypt(ReadOnlySpan<byte> key, Span<byte> datagram, int headerBytes)
    {
        Span<byte> sealedBytes = datagram[(headerBytes + NonceBytes)..];
        Span<byte> opened = stackalloc byte[MaxDatagramBytes];
        opened = opened[..(sealedBytes.Length - TagBytes)];
        bool isAuthentic = XChaCha20Poly1305.TryOpen(key, datagram.Slice(headerBytes, NonceBytes), datagram[..headerBytes], sealedBytes, opened);
        if (isAuthentic)
        {
            opened.CopyTo(sealedBytes);
        }

        return isAuthentic;
    }

    private bool TryUnpad(bool opened, Span<byte> padded, out Span<byte> plaintext)
    {
        plaintext = default;
        if (!opened)
        {
            _drops.Count(DropReason.DecryptFailed);
            return false;
        }

        int length = BinaryPrimitives.ReadUInt16BigEndian(padded);
        if (length > padded.Length - LengthBytes || padded[(LengthBytes + length)..].ContainsAnyExcept((byte)0))
        {
            _drops.Count(DropReason.Malformed);
            return false;
        }

        plaintext = padded.Slice(LengthBytes, length);
        return true;
    }

    private bool TryKeysOfReceiver(AskerKey asker, in PublicKey receiver, Span<byte> keys)
    {
        if (asker.Receivers.TryUse(receiver, out ReadOnlySpan<byte> cached))
        {
            cached.CopyTo(keys);
            return true;
        }

        if (!TryAgree(asker.Key, receiver, asker.Key.Public, receiver, keys))
        {
            return false;
        }

        asker.Receivers.Add(receiver, keys);
        return true;
    }

    private bool TryKeysOfAsker(in PublicKey asker, Span<byte> keys)
    {
        // Every opened question leaves its keys in the cache; they are gone only when many were opened between it and its answer.
        bool isCached = _askers.TryUse(asker, out ReadOnlySpan<byte> cached);
        cached.CopyTo(keys);
        return isCached || TryAgree(_own, asker, asker, _own.Public, keys);
    }

    private bool TryAgree(TransportKey own, in PublicKey remote, in PublicKey asker, in PublicKey receiver, Span<byte> keys)
    {
        Agreements++;
        Span<byte> secret = stackalloc byte[TransportKey.Bytes];
        Span<byte> parties = stackalloc byte[2 * PublicKey.Bytes];
        asker.Span.CopyTo(parties);
        receiver.Span.CopyTo(parties[PublicKey.Bytes..]);
        bool agreed = own.TryAgree(remote, secret);
        if (agreed)
        {
            KeyDerivation.Extract("carrier 1 sealed message"u8, secret, secret);
            KeyDerivation.Expand(secret, "question"u8, parties, keys[..KeyBytes]);
            KeyDerivation.Expand(secret, "answer"u8, parties, keys[KeyBytes..]);
        }

        CryptographicOperations.ZeroMemory(secret);
        return agreed;
    }

    private void RotateAskerKey(Instant now)
    {
        ForgetPreviousKey(now);
        if (_current.ReplaceAt == Instant.Never)
        {
            _current.ReplaceAt = now + AskerKeyLifetime;
        }
        else if (now >= _current.ReplaceAt)
        {
            _previous?.Dispose();
            _previous = _current;
            _previous.ForgetAt = now + PreviousAskerKeyLifetime;
            _current = new AskerKey(_random, now + AskerKeyLifetime);
        }
    }

    private void ForgetPreviousKey(Instant now)
    {
        if (_previous is not null && now >= _previous.ForgetAt)
        {
            _previous.Dispose();
            _previous = null;
        }
    }

    /// <summary>One ephemeral key of ours and what was agreed with it.</summary>
    private sealed class AskerKey(RandomSource random, Instant replaceAt) : IDisposable
    {
        public TransportKey Key { get; } = TransportKey.Generate(random);

        public SharedKeyCache Receivers { get; } = new(MaxCachedPeers);

        public Instant ReplaceAt { get; set; } = replaceAt;

        public Instant ForgetAt { get; set; }

        public void Dispose()
        {
            Key.Dispose();
            Receivers.Dispose();
        }
    }
}
