using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Dht;
using Carrier.Dht.Records;
using Carrier.Dht.Routing;
using Carrier.Node.Addresses;
using Carrier.Node.Dialing;
using Carrier.Node.Handshakes;
using Carrier.Node.Homes;

namespace Carrier.Node.Peers;

/// <summary>The node's use of the DHT: finds the devices of others, keeps this device's own record there, and finds homes for it.</summary>
internal sealed class PeerDirectory(
    LocalIdentity? local, DhtMachine dht, LocalAddresses addresses, HomeMachine? homes, KnownPeers known, SerialFloors floors)
{
    /// <summary>Lookups for one dial that no node at all answered, before it is told so: an overloaded seed may lose a question and its repetition.</summary>
    public const int MaxUnansweredLookups = 3;

    private readonly Dictionary<DhtOperation, Search> _searches = [];
    private readonly Queue<WaitingSearch> _waiting = new();
    private readonly Queue<WaitingSearch> _later = new();
    private readonly Queue<NodeEffect> _effects = new();
    private DhtOperation? _publication;
    private Instant _publishAt = Instant.Never;
    private Instant _offerAgainAt;
    private Instant _offerDeadline = Instant.Never;
    private bool _recordNamesHome;

    /// <summary>How long changes are gathered before the record is published again.</summary>
    public static TimeSpan Gathering => TimeSpan.FromMilliseconds(500);

    /// <summary>How long the first record waits for a home to name: without one nobody behind a NAT is reached.</summary>
    public static TimeSpan WaitForHome => TimeSpan.FromSeconds(3);

    /// <summary>How often the routing table is looked through for homes while some are missing.</summary>
    public static TimeSpan OfferInterval => TimeSpan.FromSeconds(1);

    /// <summary>How long a search waits for the first node to answer, when the node has just started.</summary>
    public static TimeSpan WaitForNetwork => TimeSpan.FromSeconds(3);

    public Instant NextDeadline => Instant.Min(Instant.Min(_publishAt, _offerDeadline), Instant.Min(Earliest(_waiting), Earliest(_later)));

    /// <summary>Whether this node knows of others that should answer soon: seeds, or a table from before.</summary>
    public bool ExpectsNetwork { get; set; }

    public bool HasJoined { get; private set; }

    /// <summary>Whether our record is stored and names a home.</summary>
    public bool IsPublished { get; private set; }

    /// <summary>Begins a search for a peer's devices; false when too many run.</summary>
    /// <param name="forDial">Results go to the dial of that number as they come; else they make one <see cref="NodeEffectKind.Resolved"/>.</param>
    public bool TrySearch(Instant now, TrustId peer, ulong operation, bool forDial)
    {
        // A lookup that begins with an empty table ends at once and finds nobody.
        if (ExpectsNetwork && dht.Table.Count == 0 && _waiting.Count < DhtMachine.MaxOperations)
        {
            _waiting.Enqueue(new WaitingSearch(peer, operation, forDial, now + WaitForNetwork, Lookup: 1));
            return true;
        }

        return TryBegin(now, peer, operation, forDial, lookup: 1);
    }

    /// <summary>Searches for a dial if it still runs after <paramref name="wait"/>; false when too many wait, and the search should begin now.</summary>
    public bool TrySearchLater(Instant now, TimeSpan wait, TrustId peer, ulong operation)
    {
        bool hasRoom = _later.Count < Dialer.MaxDials;
        if (hasRoom)
        {
            _later.Enqueue(new WaitingSearch(peer, operation, ForDial: true, now + wait, Lookup: 1));
        }

        return hasRoom;
    }

    /// <summary>Our addresses or homes changed: the record is published again soon, the first one naming a home at once.</summary>
    public void RecordChanged(Instant now)
    {
        if (local is null)
        {
            return;
        }

        bool hasHome = homes is null || HomeCount() > 0;
        TimeSpan wait = (hasHome, _recordNamesHome) switch
        {
            (true, false) => TimeSpan.Zero,
            (false, _) => WaitForHome,
            _ => Gathering,
        };
        _publishAt = Instant.Min(_publishAt, now + wait);
    }

    public void HandleTimeout(Instant now)
    {
        if (_publishAt <= now)
        {
            _publishAt = Instant.Never;
            Publish(now);
        }
    }

    /// <summary>Begins the searches whose time has come.</summary>
    public void BeginSearches(Instant now, in WallClock clock, Dialer? dialer)
    {
        BeginLater(now, clock, dialer);
        BeginWaiting(now, clock, dialer);
    }

    /// <summary>Takes what came of the DHT's operations; results for dials go to <paramref name="dialer"/>.</summary>
    public void Take(Instant now, in WallClock clock, DhtEffect effect, Dialer? dialer)
    {
        switch (effect.Kind)
        {
            case DhtEffectKind.Joined:
                HasJoined = true;
                OfferHomes(now);
                break;
            case DhtEffectKind.RecordFound or DhtEffectKind.LookupFinished when _searches.TryGetValue(effect.Operation, out Search? search):
                Take(now, clock, effect, search, dialer);
                break;
            case DhtEffectKind.Published when effect.Operation == _publication:
                IsPublished |= effect.StoredCount > 0 && _recordNamesHome;
                break;
            default:
                break;
        }
    }

    /// <summary>Looks for homes in the routing table while some are missing.</summary>
    public void LookForHomes(Instant now)
    {
        bool wantsHomes = HasJoined && homes is { WantsCandidates: true };
        if (wantsHomes && now >= _offerAgainAt)
        {
            OfferHomes(now);
        }

        // Without any home the node wakes to look for one; for a second and third it looks when it is awake anyway.
        _offerDeadline = wantsHomes && HomeCount() == 0 ? _offerAgainAt : Instant.Never;
    }

    public bool TryEffect(out NodeEffect effect) => _effects.TryDequeue(out effect);

    private void Take(Instant now, in WallClock clock, DhtEffect effect, Search search, Dialer? dialer)
    {
        List<PeerDevice> devices = [];
        foreach (DhtRecord record in effect.Records)
        {
            if (record is RevocationRecord revocation)
            {
                floors.Raise(revocation.Revocation.TrustId, revocation.Revocation.SerialFloor);
            }
            else if (record is SignedRecord { Salt.IsEmpty: true } signed && DeviceRecord.TryParse(signed.Value.Span, out DeviceRecord device))
            {
                devices.Add(new PeerDevice(signed.Delegation, device, signed.Sequence, signed.Expiry));
            }
        }

        bool isOver = effect.Kind == DhtEffectKind.LookupFinished;
        if (isOver)
        {
            _ = _searches.Remove(effect.Operation);
        }

        if (isOver && search.ForDial && effect.Contacts.Count == 0 && search.Lookup < MaxUnansweredLookups
            && ExpectsNetwork && _waiting.Count < DhtMachine.MaxOperations)
        {
            _waiting.Enqueue(new WaitingSearch(search.Peer, search.Operation, ForDial: true, now + WaitForNetwork, search.Lookup + 1));
            dialer!.Resolved(now, clock, search.Operation, devices, networkAnswered: false, final: false);
        }
        else if (search.ForDial)
        {
            dialer!.Resolved(now, clock, search.Operation, devices, effect.Contacts.Count > 0, isOver);
        }
        else if (isOver)
        {
            devices.ForEach(known.Learn);
            _effects.Enqueue(new NodeEffect(NodeEffectKind.Resolved)
            {
                Operation = search.Operation,
                Devices = devices,
                Failure = effect.Contacts.Count > 0 ? DialFailure.None : DialFailure.NetworkUnreachable,
            });
        }
    }

    private bool TryBegin(Instant now, TrustId peer, ulong operation, bool forDial, int lookup)
    {
        bool started = dht.TryGet(now, DhtRecord.TargetOf(peer), thorough: !forDial, out DhtOperation search);
        if (started)
        {
            _searches.Add(search, new Search(peer, operation, forDial, lookup));
        }

        return started;
    }

    private void BeginLater(Instant now, in WallClock clock, Dialer? dialer)
    {
        while (_later.TryPeek(out WaitingSearch search))
        {
            bool isUnderWay = dialer!.IsUnderWay(search.Operation);
            if (isUnderWay && search.Until > now)
            {
                return;
            }

            _ = _later.Dequeue();
            if (isUnderWay && !TrySearch(now, search.Peer, search.Operation, forDial: true))
            {
                dialer.Resolved(now, clock, search.Operation, [], networkAnswered: false, final: true);
            }
        }
    }

    private void BeginWaiting(Instant now, in WallClock clock, Dialer? dialer)
    {
        while (_waiting.TryPeek(out WaitingSearch search) && (dht.Table.Count > 0 || search.Until <= now))
        {
            _ = _waiting.Dequeue();
            if (TryBegin(now, search.Peer, search.Operation, search.ForDial, search.Lookup))
            {
                continue;
            }

            if (search.ForDial)
            {
                dialer!.Resolved(now, clock, search.Operation, [], networkAnswered: false, final: true);
            }
            else
            {
                _effects.Enqueue(new NodeEffect(NodeEffectKind.Resolved) { Operation = search.Operation, Devices = [], Failure = DialFailure.Busy });
            }
        }
    }

    private void Publish(Instant now)
    {
        HomeContact[] current = new HomeContact[HomeMachine.MaxHomes];
        int homeCount = homes?.CopyHomes(current) ?? 0;
        DeviceRecord record = new()
        {
            Candidates = addresses.Candidates,
            Homes = current[..homeCount],
            Mapping = addresses.Mapping,
            Nat = addresses.Nat,
        };
        Span<byte> value = stackalloc byte[DeviceRecord.MaxBytes];
        int bytes = record.Encode(value);
        _recordNamesHome = homes is null || homeCount > 0;
        if (_publication is { } publication)
        {
            _ = dht.TryUpdate(now, publication, value[..bytes]);
        }
        else
        {
            _publication = dht.Publish(now, local!.Device, local.Delegation, [], value[..bytes]);
        }
    }

    // Whoever serves the DHT also serves as a home; the home machine picks the near and unrelated among them.
    private void OfferHomes(Instant now)
    {
        if (homes is null)
        {
            return;
        }

        _offerAgainAt = now + OfferInterval;
        foreach (Contact contact in dht.Table.Contacts())
        {
            homes.Offer(now, new HomeContact(contact.Key, contact.Endpoint), rtt: null);
        }
    }

    private static Instant Earliest(Queue<WaitingSearch> searches) => searches.TryPeek(out WaitingSearch oldest) ? oldest.Until : Instant.Never;

    private int HomeCount() => homes!.CopyHomes(stackalloc HomeContact[HomeMachine.MaxHomes]);

    private readonly record struct WaitingSearch(TrustId Peer, ulong Operation, bool ForDial, Instant Until, int Lookup);

    private sealed record Search(TrustId Peer, ulong Operation, bool ForDial, int Lookup);
}
