using Carrier.Core;
using Carrier.Core.Session;
using Carrier.Node.Addresses;
using Carrier.Node.Homes;
using Carrier.Node.Peers;
using Carrier.Node.Sessions;

namespace Carrier.Node.Dialing;

/// <summary>A home to ask for a relay channel to the device at the other end of a live session, handing it a packet of that session.</summary>
internal readonly record struct ReconnectRequest(NodeSession Session, HomeContact Home);

/// <summary>Sessions that lost their way: each of the peer's homes is asked for a channel, and the first packet over it is the session's own.</summary>
/// <remarks>
/// Covers a relay that died, a dialler whose address changed under its channels, and a peer that lets in only whom it has sent to. The initiator does
/// it, which knows the other's homes; the responder meanwhile sees to its own registrations, over which it is then found. The homes are those of the
/// record that was dialled, and those of a newer one as soon as a lookup finds it: a device dialled just after its start named the first home it had.
/// </remarks>
internal sealed class Reconnections(LocalAddresses addresses, HomeMachine? homes)
{
    /// <summary>Requests waiting to be asked, three at most a record of a session; and lookups under way.</summary>
    private const int MaxWaiting = 1024;

    private readonly Queue<ReconnectRequest> _requests = new();
    private readonly Dictionary<ulong, NodeSession> _searches = [];

    /// <summary>Between two tries of one session: homes are asked again only when what they did had its chance.</summary>
    public static TimeSpan Interval => TimeSpan.FromSeconds(1);

    /// <summary>The path of a session swallows what is sent. True when the peer is to be looked up as <paramref name="search"/>; <see cref="Resolved"/> follows.</summary>
    public bool OnSilent(Instant now, NodeSession session, ulong search)
    {
        if (session.Device is not { } device || now < session.ReconnectAt)
        {
            return false;
        }

        session.ReconnectAt = now + Interval;
        Request(now, session, device.Record.Homes);
        bool searches = !session.IsSought && _searches.Count < MaxWaiting;
        if (searches)
        {
            session.IsSought = true;
            _searches.Add(search, session);
        }

        return searches;
    }

    /// <summary>A lookup found devices, perhaps none: homes that the session's device did not name before are asked too.</summary>
    public void Resolved(Instant now, ulong search, IReadOnlyList<PeerDevice> devices, bool final)
    {
        if (!_searches.TryGetValue(search, out NodeSession? session))
        {
            return;
        }

        PeerDevice known = session.Device!;
        foreach (PeerDevice found in devices)
        {
            if (found.ExchangeKey == known.ExchangeKey && found.Sequence > known.Sequence)
            {
                Request(now, session, found.Record.Homes.Except(known.Record.Homes));
                session.Device = known = found;
            }
        }

        if (final)
        {
            session.IsSought = false;
            _ = _searches.Remove(search);
        }
    }

    public bool TryRequest(out ReconnectRequest request) => _requests.TryDequeue(out request);

    /// <summary>Writes the question; false when the session is over.</summary>
    public static bool TryWrite(Instant now, in ReconnectRequest request, Span<byte> body, out int bytes)
    {
        Span<byte> packet = stackalloc byte[SessionMachine.MaxProbeBytes];
        bytes = 0;
        if (!request.Session.IsRemoved && request.Session.Machine.TryWriteProbe(now, new NetworkPath(request.Home.Endpoint), packet, out int packetBytes))
        {
            bytes = new ConnectQuestion { Target = request.Session.Device!.ExchangeKey, First = packet[..packetBytes] }.Encode(body);
        }

        return bytes > 0;
    }

    // Once a tunnel stands that one of them needs, the next try finds it in reach.
    private void Request(Instant now, NodeSession session, IEnumerable<HomeContact> named)
    {
        bool leads = false;
        foreach (HomeContact contact in named)
        {
            bool isInReach = addresses.TryReach(contact, homes, out HomeContact home);
            leads |= isInReach;
            if (isInReach && _requests.Count < MaxWaiting)
            {
                _requests.Enqueue(new ReconnectRequest(session, home));
            }
        }

        foreach (HomeContact contact in leads ? [] : named)
        {
            _ = addresses.TryWantTunnel(now, contact);
        }
    }
}
