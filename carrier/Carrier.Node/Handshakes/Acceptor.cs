using System.Diagnostics.CodeAnalysis;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Handshake;
using Carrier.Core.Identity;
using Carrier.Nat;
using Carrier.Node.Sessions;
using Carrier.Node.Transport;

namespace Carrier.Node.Handshakes;

/// <summary>The answering side of dials: admits initiations, checks who sends them, opens unconfirmed sessions and answers.</summary>
/// <remarks>
/// An initiation reaches us several times: over homes and straight from candidates, and again when it is retransmitted. All copies open one
/// session; each is answered where it came from, and the way it came becomes a path of the session. A stranger, whatever is wrong with it,
/// hears nothing.
/// </remarks>
internal sealed class Acceptor(
    LocalIdentity local, SessionOpener opener, SessionTable sessions, Outbox outbox, SerialFloors floors, RandomSource random, DropCounters drops) : IDisposable
{
    /// <summary>Handshakes answered and not yet confirmed. The oldest gives way: it had its time.</summary>
    public const int MaxUnconfirmed = 1024;

    private readonly HandshakeGate _gate = new(random, drops);
    private readonly PunchBudget _budget = new(random, drops);
    private readonly Dictionary<PublicKey, Unconfirmed> _byEphemeral = [];
    private readonly Dictionary<NodeSession, Unconfirmed> _bySession = [];
    private readonly Queue<Unconfirmed> _byAge = new();
    private readonly VerifiedDelegations _verified = new();
    private readonly Queue<NodeEffect> _effects = new();

    /// <summary>A dialler that hears our answer confirms within a round trip; this is several, and a retransmission.</summary>
    public static TimeSpan UnconfirmedLifetime => TimeSpan.FromSeconds(10);

    // Later than the first expires, so that those which came at about the same time go together.
    public Instant NextDeadline => _byAge.TryPeek(out Unconfirmed? oldest) ? oldest.ExpiresAt + TimeSpan.FromMilliseconds(250) : Instant.Never;

    public void Handle(Instant now, in WallClock clock, in NetworkPath path, ReadOnlySpan<byte> datagram)
    {
        switch (_gate.Admit(now, path, datagram))
        {
            case HandshakeAdmission.Duplicate:
                AnswerAgain(now, path, datagram);
                break;
            case HandshakeAdmission.Retry when outbox.TryReserve(path.HeaderBytes + HandshakeGate.RetryBytes, out Span<byte> room):
                path.WriteHeader(room);
                int retryBytes = _gate.WriteRetry(now, path, datagram, room[path.HeaderBytes..]);
                outbox.Commit(path, path.HeaderBytes + retryBytes);
                break;
            case HandshakeAdmission.Admit when TryOpen(now, clock, path, datagram, out Unconfirmed? opened):
                _gate.Remember(datagram);
                Keep(now, opened, datagram);
                Answer(path, datagram.Length, opened);
                AnswerDirectly(now, path, datagram.Length, opened);
                break;
            default:
                break;
        }
    }

    /// <summary>The initiator's first session packet came.</summary>
    public void Confirmed(NodeSession session)
    {
        if (_bySession.Remove(session, out Unconfirmed? pending))
        {
            _gate.Confirmed(pending.Path);
        }
    }

    /// <summary>Drops what waited too long for its first session packet.</summary>
    public void HandleTimeout(Instant now)
    {
        while (_byAge.TryPeek(out Unconfirmed? oldest) && oldest.ExpiresAt <= now)
        {
            Forget(_byAge.Dequeue());
        }
    }

    public bool TryEffect(out NodeEffect effect) => _effects.TryDequeue(out effect);

    public void Dispose()
    {
        _gate.Dispose();
        while (_byAge.TryDequeue(out Unconfirmed? pending))
        {
            pending.Responder.Dispose();
        }
    }

    private bool TryOpen(Instant now, in WallClock clock, in NetworkPath path, ReadOnlySpan<byte> datagram, [NotNullWhen(true)] out Unconfirmed? opened)
    {
        opened = null;
        if (!HandshakeResponder.TryRead(local.ExchangeKey, local.TrustIdBytes, datagram, drops, out HandshakeResponder? responder))
        {
            return false;
        }

        HandshakePayload initiation = responder.Initiation;
        DelegationVerdict verdict = Judge(clock.At(now), responder.InitiatorKey, initiation.Delegation, out Delegation? delegation);
        if (verdict != DelegationVerdict.Valid)
        {
            _effects.Enqueue(new NodeEffect(NodeEffectKind.HandshakeRefused) { Refusal = verdict });
            responder.Dispose();
            return false;
        }

        if (!opener.TryAccept(now, path, responder, delegation!, out NodeSession? session))
        {
            drops.Count(DropReason.Malformed);
            responder.Dispose();
            return false;
        }

        opened = new Unconfirmed(responder, session, path);
        return true;
    }

    // The reason stays on this side: to the initiator every refusal is the same silence.
    private DelegationVerdict Judge(UnixTime now, in PublicKey initiatorKey, ReadOnlySpan<byte> encoded, out Delegation? delegation)
    {
        bool named = (_verified.TryGet(initiatorKey, encoded, out delegation) || Delegation.TryParse(encoded, out delegation)) && delegation.ExchangeKey == initiatorKey && delegation.Permits(DelegationUses.Session);
        DelegationVerdict verdict = named ? delegation!.Verify(now, floors.Of(delegation.TrustId)) : DelegationVerdict.BadSignature;
        if (verdict != DelegationVerdict.Valid)
        {
            drops.Count(verdict switch
            {
                DelegationVerdict.Revoked => DropReason.Revoked,
                DelegationVerdict.BadSignature => DropReason.BadSignature,
                _ => DropReason.Expired,
            });
        }
        else
        {
            _verified.Add(delegation!);
        }

        return verdict;
    }

    private void AnswerAgain(Instant now, in NetworkPath path, ReadOnlySpan<byte> datagram)
    {
        if (InitiationDatagram.TryRead(datagram, out InitiationDatagram initiation) && _byEphemeral.TryGetValue(initiation.Ephemeral, out Unconfirmed? pending))
        {
            Answer(path, datagram.Length, pending);
            pending.Session.Machine.AddCandidatePath(now, path);
            sessions.Touch(now, pending.Session);
        }
    }

    // Over a relay we know already where the dialler is: the same answer straight to there opens the NAT before us for what the dialler sends, before any
    // of that arrives; and it may well be the first to reach it. It named the endpoint, so it gets one datagram, within the punching budget.
    private void AnswerDirectly(Instant now, in NetworkPath path, int askedBytes, Unconfirmed opened)
    {
        if (path.IsRelayed && opened.Session.RemoteIPv4 is { IsNone: false } dialler && _budget.TrySpend(now, dialler))
        {
            Answer(new NetworkPath(dialler), askedBytes, opened);
        }
    }

    private void Answer(in NetworkPath path, int askedBytes, Unconfirmed pending)
    {
        // A relay has already proven the dialler's address; a direct sender has paid with the initiation's padding.
        int maxBytes = path.IsRelayed ? InitiationDatagram.MaxBytes : askedBytes;
        if (outbox.TryReserve(path.HeaderBytes + InitiationDatagram.MaxBytes, out Span<byte> room)
            && pending.Responder.TryWrite(maxBytes, room[path.HeaderBytes..], out int bytes))
        {
            path.WriteHeader(room);
            outbox.Commit(path, path.HeaderBytes + bytes);
        }
    }

    private void Keep(Instant now, Unconfirmed opened, ReadOnlySpan<byte> datagram)
    {
        if (_byAge.Count >= MaxUnconfirmed)
        {
            drops.Count(DropReason.Full);
            Forget(_byAge.Dequeue());
        }

        _ = InitiationDatagram.TryRead(datagram, out InitiationDatagram initiation);
        opened.Ephemeral = initiation.Ephemeral;
        opened.ExpiresAt = now + UnconfirmedLifetime;
        _byEphemeral[opened.Ephemeral] = opened;
        _bySession[opened.Session] = opened;
        _byAge.Enqueue(opened);
    }

    private void Forget(Unconfirmed pending)
    {
        _ = _byEphemeral.Remove(pending.Ephemeral);
        _ = _bySession.Remove(pending.Session);
        pending.Responder.Dispose();
        if (!pending.Session.IsSurfaced)
        {
            sessions.Remove(pending.Session);
        }
    }

    private sealed class Unconfirmed(HandshakeResponder responder, NodeSession session, NetworkPath path)
    {
        public HandshakeResponder Responder { get; } = responder;

        public NodeSession Session { get; } = session;

        /// <summary>The way the initiation that was admitted came.</summary>
        public NetworkPath Path { get; } = path;

        public PublicKey Ephemeral { get; set; }

        public Instant ExpiresAt { get; set; }
    }
}
