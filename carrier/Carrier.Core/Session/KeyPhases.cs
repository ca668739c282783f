using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Carrier.Core.Crypto;

namespace Carrier.Core.Session;

/// <summary>The packet keys of both directions and their replacement (RFC 9001 §6), told apart by one phase bit.</summary>
/// <remarks>
/// Either side may start an update, both at once too: a sender moves to its next key and the bit flips; a receiver that opens a packet of the other
/// bit with its next key has learnt of the update, and follows. Only an authentic packet changes anything. The key before is kept for packets that
/// were overtaken, until <see cref="PreviousExpiresAt"/>, then erased. Single-threaded; disposing erases all.
/// </remarks>
internal sealed class KeyPhases : IDisposable
{
    private readonly CipherSuite _suite;
    private readonly KeyMemory _secrets = new(2 * PacketCipher.SecretBytes);
    private readonly ulong _updateAfterPackets;
    private PacketCipher _send;
    private PacketCipher? _receivePrevious;
    private PacketCipher _receive;
    private PacketCipher? _receiveNext;
    private bool _receivePhase;
    private ulong _sealedInPhase;
    private ulong _firstSentInPhase;
    private ulong _firstReceivedInPhase;
    private ulong _failedOpenings;
    private bool _phaseAcknowledged = true;

    public KeyPhases(CipherSuite suite, ReadOnlySpan<byte> sendSecret, ReadOnlySpan<byte> receiveSecret, ulong updateAfterPackets)
    {
        _suite = suite;
        _send = PacketCipher.Create(_suite, sendSecret);
        _receive = PacketCipher.Create(_suite, receiveSecret);
        sendSecret.CopyTo(SendSecret);
        receiveSecret.CopyTo(ReceiveSecret);

        // Half the limit leaves as many packets again for the peer to confirm the update in.
        _updateAfterPackets = Math.Min(updateAfterPackets, _send.ConfidentialityLimit / 2);
    }

    private Span<byte> SendSecret => _secrets.Span[..PacketCipher.SecretBytes];

    private Span<byte> ReceiveSecret => _secrets.Span[PacketCipher.SecretBytes..];

    /// <summary>What sealing adds.</summary>
    public int TagBytes => _send.TagBytes;

    /// <summary>The bit of the packets we send now.</summary>
    public bool SendPhase { get; private set; }

    /// <summary>How often the sending key was replaced.</summary>
    public int Updates { get; private set; }

    public Instant PreviousExpiresAt { get; private set; } = Instant.Never;

    /// <summary>The key may seal no more and the peer has not let us replace it: the session must end.</summary>
    public bool IsExhausted => _sealedInPhase >= _send.ConfidentialityLimit || _failedOpenings >= _receive.IntegrityLimit;

    /// <summary>Starts an update when one is due and the last is complete: its packets acknowledged and the old key erased.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void UpdateIfDue(ulong nextPacketNumber)
    {
        if (_sealedInPhase >= _updateAfterPackets && _phaseAcknowledged && SendPhase == _receivePhase && _receivePrevious is null)
        {
            AdvanceSend(nextPacketNumber);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Seal(ulong packetNumber, ReadOnlySpan<byte> header, Span<byte> packet, int plaintextBytes)
    {
        _sealedInPhase++;
        _send.Seal(packetNumber, header, packet[..plaintextBytes], packet);
    }

    /// <summary>Opens in place with the key the phase bit and number point to. False leaves no trace but a count.</summary>
    /// <param name="keepPreviousFor">How long overtaken packets may still come, should this packet be the first of a new phase: 3 PTO.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryOpen(
        Instant now, ulong packetNumber, bool phase, ReadOnlySpan<byte> header, Span<byte> body, ulong nextPacketNumber, TimeSpan keepPreviousFor)
    {
        bool isOld = phase != _receivePhase && _receivePrevious is not null && packetNumber < _firstReceivedInPhase;
        PacketCipher cipher = phase == _receivePhase ? _receive : isOld ? _receivePrevious! : _receiveNext ??= DeriveReceiveNext();
        if (!cipher.TryOpen(packetNumber, header, body))
        {
            _failedOpenings++;
            return false;
        }

        if (ReferenceEquals(cipher, _receiveNext))
        {
            AdvanceReceive(packetNumber, now + keepPreviousFor);
            if (SendPhase != _receivePhase)
            {
                AdvanceSend(nextPacketNumber);
            }
        }
        else if (phase == _receivePhase && packetNumber < _firstReceivedInPhase)
        {
            _firstReceivedInPhase = packetNumber;
        }

        return true;
    }

    /// <summary>The peer acknowledged <paramref name="largest"/>: if it was sealed with the current key, the peer has that key.</summary>
    public void OnAcknowledged(ulong largest) => _phaseAcknowledged |= largest >= _firstSentInPhase;

    public void HandleTimeout(Instant now)
    {
        if (now >= PreviousExpiresAt)
        {
            _receivePrevious?.Dispose();
            _receivePrevious = null;
            PreviousExpiresAt = Instant.Never;
        }
    }

    public void Dispose()
    {
        _send.Dispose();
        _receive.Dispose();
        _receiveNext?.Dispose();
        _receivePrevious?.Dispose();
        _secrets.Dispose();
    }

    // Most sessions end in their first phase; the phase bit is in clear, so taking longer at the first packet of a new one tells nobody anything.
    private PacketCipher DeriveReceiveNext()
    {
        Span<byte> secret = stackalloc byte[PacketCipher.SecretBytes];
        PacketCipher.NextSecret(ReceiveSecret, secret);
        var next = PacketCipher.Create(_suite, secret);
        CryptographicOperations.ZeroMemory(secret);
        return next;
    }

    private void AdvanceSend(ulong nextPacketNumber)
    {
        PacketCipher.NextSecret(SendSecret, SendSecret);
        _send.Dispose();
        _send = PacketCipher.Create(_suite, SendSecret);
        SendPhase = !SendPhase;
        Updates++;
        _sealedInPhase = 0;
        _firstSentInPhase = nextPacketNumber;
        _phaseAcknowledged = false;
    }

    private void AdvanceReceive(ulong packetNumber, Instant expiresAt)
    {
        _receivePrevious?.Dispose();
        _receivePrevious = _receive;
        PreviousExpiresAt = expiresAt;
        _receive = _receiveNext!;
        _receiveNext = null;
        PacketCipher.NextSecret(ReceiveSecret, ReceiveSecret);
        _receivePhase = !_receivePhase;
        _firstReceivedInPhase = packetNumber;
        _failedOpenings = 0;
    }
}
