using System.Diagnostics.CodeAnalysis;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Handshake;
using Carrier.Core.Identity;
using Carrier.Core.Session;
using Carrier.Core.Session.Buffers;
using Carrier.Nat;
using Carrier.Node.Addresses;
using Carrier.Node.Dialing;

namespace Carrier.Node.Sessions;

/// <summary>Makes sessions of finished handshakes, on either side, and says what our side of a handshake offers.</summary>
internal sealed class SessionOpener(
    NodeOptions options, LocalIdentity local, LocalAddresses addresses, SessionTable sessions, ReadOnlyMemory<byte> resetKey, RandomSource random, DropCounters drops)
{
    /// <summary>Slabs kept while traffic comes in waves, 40 MB: one session's send buffer and receive window together.</summary>
    private const int MaxRetainedSlabs = 640;

    /// <summary>Slabs out with all sessions together, 1 GB: what all peers together can make this node hold.</summary>
    private const int MaxSlabs = 16_384;

    private readonly SlabPool _pool = new(MaxSlabs, MaxRetainedSlabs);
    private readonly CipherSuite[] _ciphers = [.. options.Ciphers];
    private readonly byte[] _parameters = Encode(options.Transport);

    /// <summary>Slabs out with sessions: zero when none is left.</summary>
    public int OutstandingSlabs => _pool.Outstanding;

    /// <inheritdoc cref="SlabPool.Trim"/>
    public void TrimSlabs() => _pool.Trim();

    /// <summary>Prepares the initiation toward one device.</summary>
    public bool TryInitiate(in PublicKey device, TrustId peer, string protocol, ConnectionId localId, [NotNullWhen(true)] out HandshakeInitiator? initiator)
    {
        Span<byte> target = stackalloc byte[TrustId.Bytes];
        peer.CopyTo(target);
        var token = ResetToken.Derive(resetKey.Span, localId);
        return HandshakeInitiator.TryCreate(local.ExchangeKey, device, target, random, Payload(protocol, localId, token.Span, _ciphers), out initiator);
    }

    /// <summary>Makes the initiator's session of a response that was read; null when its transport parameters make no sense.</summary>
    public NodeSession? Complete(Instant now, in NetworkPath path, HandshakeInitiator initiator, SessionKeys keys, ConnectionId localId, Dial dial)
    {
        HandshakePayload response = initiator.Response;
        if (!TransportParameters.TryRead(response.TransportParameters, out TransportParameters remote))
        {
            return null;
        }

        SessionOptions choices = dial.Congestion == options.Session.CongestionControl ? options.Session : options.Session with { CongestionControl = dial.Congestion };
        NodeSession session = Open(now, path, keys, SessionRole.Initiator, localId, response, remote, dial.Peer, dial.Protocol, choices);
        session.IsSurfaced = true;
        sessions.Stands(session);
        AddCandidates(now, session, path, response.Candidates);
        sessions.Touch(now, session);
        return session;
    }

    /// <summary>Answers an initiation whose sender was judged, and makes the responder's session, not yet surfaced.</summary>
    public bool TryAccept(Instant now, in NetworkPath path, HandshakeResponder responder, Delegation delegation, [NotNullWhen(true)] out NodeSession? session)
    {
        session = null;
        HandshakePayload initiation = responder.Initiation;
        if (!TransportParameters.TryRead(initiation.TransportParameters, out TransportParameters remote)
            || !CipherSuites.TryChoose(_ciphers, initiation.CipherSuites, out CipherSuite suite))
        {
            return false;
        }

        var localId = ConnectionId.Next(random);
        var token = ResetToken.Derive(resetKey.Span, localId);
        if (!responder.TryRespond(random, Payload(null, localId, token.Span, [suite]), out SessionKeys? keys))
        {
            return false;
        }

        using (keys)
        {
            session = Open(now, path, keys, SessionRole.Responder, localId, initiation, remote, delegation.TrustId, initiation.Protocol!, options.Session);
        }

        AddCandidates(now, session, path, initiation.Candidates);
        sessions.Touch(now, session);
        return true;
    }

    private static byte[] Encode(TransportParameters parameters)
    {
        byte[] bytes = new byte[TransportParameters.MaxEncodedBytes];
        return bytes[..parameters.Write(bytes)];
    }

    private NodeSession Open(
        Instant now, in NetworkPath path, SessionKeys keys, SessionRole role, ConnectionId localId, in HandshakePayload told,
        TransportParameters remote, TrustId peer, string protocol, SessionOptions choices)
    {
        SessionMachine machine = new(
            new SessionSetup
            {
                Options = choices,
                Suite = keys.Suite,
                SendSecret = keys.SendSecret,
                ReceiveSecret = keys.ReceiveSecret,
                Role = role,
                Local = options.Transport,
                Remote = remote == options.Transport ? options.Transport : remote, // ten thousand of the same need one copy
                LocalId = localId,
                RemoteId = new ConnectionId(told.ConnectionId),
                RemoteResetToken = new ResetToken(told.ResetToken),
                ResetKey = resetKey.Span,
                Path = path,
                Random = random,
                Pool = _pool,
                Drops = drops,
            },
            now);
        NodeSession session = new(sessions.NextSessionId(), machine, peer, protocol, role == SessionRole.Initiator);
        session.TellsNat = NatDescription.TryRead(told.Nat, out NatDescription nat);
        session.RemoteNat = nat;
        sessions.Add(now, session, localId);
        return session;
    }

    // The peer proved who it is, but may still name a victim's addresses: only what makes sense from here is tried, at the session's own pace.
    private void AddCandidates(Instant now, NodeSession session, in NetworkPath path, ReadOnlySpan<byte> list)
    {
        Span<Candidate> candidates = stackalloc Candidate[Candidate.MaxListed];
        if (!Candidate.TryReadList(list, candidates, out int count))
        {
            return;
        }

        foreach (Candidate candidate in candidates[..count])
        {
            if (session.RemoteIPv4.IsNone && candidate.Endpoint.IsIPv4 && candidate.Endpoint.Scope == AddressScope.Global)
            {
                session.RemoteIPv4 = candidate.Endpoint;
            }

            if (candidate.IsWorthTrying(addresses.Reach, path.Remote.Scope))
            {
                session.Machine.AddCandidatePath(now, new NetworkPath(candidate.Endpoint));
            }
            else if (candidate.Endpoint.Scope == AddressScope.Global)
            {
                (session.OutOfReach ??= []).Add(candidate);
            }
        }
    }

    private HandshakePayload Payload(string? protocol, ConnectionId localId, ReadOnlySpan<byte> resetToken, ReadOnlySpan<CipherSuite> suites) => new()
    {
        Delegation = local.Delegation.Encoded.Span,
        Protocol = protocol,
        ConnectionId = localId.Value,
        ResetToken = resetToken,
        TransportParameters = _parameters,
        CipherSuites = suites,
        Candidates = addresses.Encoded,
        Nat = addresses.EncodedNat,
    };
}
