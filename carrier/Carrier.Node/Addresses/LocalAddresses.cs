using System.Net.Sockets;
using Carrier.Core;
using Carrier.Nat;
using Carrier.Node.Homes;

namespace Carrier.Node.Addresses;

/// <summary>Where this device may be reached: its interfaces, what others see, what its operator says; and the candidate list made of them.</summary>
internal sealed class LocalAddresses(Endpoint advertised, DropCounters drops)
{
    private readonly ReflexiveAddresses _reflexive = new(drops);
    private readonly WantedTunnels _tunnels = new(drops);
    private readonly byte[] _list = new byte[Candidate.MaxListBytes];
    private readonly byte[] _nat = new byte[NatDescription.Bytes];
    private Endpoint[] _hosts = [];
    private Endpoint _mapped;
    private HashSet<Endpoint>? _onlyInReach;
    private int _listBytes;
    private bool _changed;
    private NatDescription _toldNat;
    private NatFiltering _filtering;
    private bool _hairpins;

    public LocalReach Reach { get; private set; }

    public IReadOnlyList<Candidate> Candidates { get; private set; } = [];

    /// <summary>The candidate list as handshakes and records carry it.</summary>
    public ReadOnlySpan<byte> Encoded => _list.AsSpan(0, _listBytes);

    /// <summary>What is known of the NAT before us.</summary>
    public NatDescription Nat { get; private set; }

    /// <summary>The same as handshakes carry it; valid until the next call.</summary>
    public ReadOnlySpan<byte> EncodedNat
    {
        get
        {
            Nat.Write(_nat);
            return _nat;
        }
    }

    /// <summary>The scope of the nearest node of the network we take part in: a seed we were given, or one that answered us. Loopback where all is on one machine.</summary>
    public AddressScope NearestNode { get; private set; } = AddressScope.Global;

    public NatMapping Mapping => _reflexive.Mapping(AddressFamily.InterNetwork);

    public Instant NextDeadline => _reflexive.NextDeadline;

    public Endpoint Reflexive(AddressFamily family) => _reflexive.Best(family);

    /// <summary>Tells the addresses of the interfaces with the socket's port, and the families with a route; true when the addresses mean another network, and another NAT.</summary>
    public bool SetHosts(ReadOnlySpan<Endpoint> hosts, IPFamilies routed = IPFamilies.Both)
    {
        bool moved = _hosts.Length > 0 && !hosts.SequenceEqual(_hosts);
        if (moved)
        {
            _reflexive.Reset();
            (_filtering, _hairpins) = (NatFiltering.Unknown, false);
        }

        _hosts = hosts.ToArray();
        Reach = LocalReach.Of(hosts, routed);
        _reflexive.SetHostEndpoints(hosts);
        Nat = Describe();
        Rebuild();
        return moved;
    }

    /// <summary>Tells what a test found of whom the NAT lets in, until the next network.</summary>
    public void SetFiltering(NatFiltering filtering, bool hairpins)
    {
        (_filtering, _hairpins) = (filtering, hairpins);
        Nat = Describe();
    }

    /// <summary>Tells where the gateway forwards our port from; none when nowhere.</summary>
    public void SetMapped(Endpoint external)
    {
        _mapped = external;
        Rebuild();
    }

    /// <summary>Notes a node that is of our network because we were told so or it answered us; nobody else's word counts.</summary>
    public void Meet(Endpoint node)
    {
        if (node.Scope != AddressScope.Unusable && node.Scope < NearestNode)
        {
            NearestNode = node.Scope;
        }
    }

    /// <summary>Tells the only endpoints of nodes in reach, where the network carries nothing else; null where it does.</summary>
    public void ReachOnly(IEnumerable<Endpoint>? endpoints) => _onlyInReach = endpoints?.ToHashSet();

    /// <summary>Whether nodes on the internet can be reached by this family; both while no interface is known.</summary>
    public bool HasRoute(bool isIPv4) => _hosts.Length == 0 || Reach.HasFamily(isIPv4);

    /// <summary>Whether to send to an address that a peer named. A peer far away cannot lead us to this machine, its LAN or an address that is nobody's.</summary>
    public bool IsWorthTrying(Candidate candidate) => candidate.IsWorthTrying(Reach, NearestNode);

    /// <summary>Where to ask a peer's home: as the peer named it, or at the other family's address where only that is in reach and known to us.</summary>
    public bool TryReach(in HomeContact named, HomeMachine? homes, out HomeContact contact)
    {
        contact = named;
        return IsInReach(named) || (homes is not null && homes.TryFindOther(named, out contact) && IsInReach(contact));
    }

    /// <summary>Asks for a tunnel to a peer's home that nothing else leads to; false when that is not what it lacks, or too many were asked for.</summary>
    public bool TryWantTunnel(Instant now, in HomeContact home) =>
        _onlyInReach is not null && !_onlyInReach.Contains(home.Endpoint) && IsWorthTrying(home.Candidate) && _tunnels.TryAsk(now, home.Endpoint);

    /// <summary>A home to open a tunnel to.</summary>
    public bool TryTakeWantedTunnel(out Endpoint home) => _tunnels.TryTake(out home);

    /// <summary>Takes what a node that answered our own question says it saw.</summary>
    public void Observe(Instant now, Endpoint reporter, Endpoint observed)
    {
        Meet(reporter);
        _reflexive.Observe(now, reporter, observed);
        Follow();
    }

    public void HandleTimeout(Instant now)
    {
        _reflexive.HandleTimeout(now);
        Follow();
    }

    /// <summary>Whether the candidates became others since last asked.</summary>
    public bool TakeChanged()
    {
        bool changed = _changed;
        _changed = false;
        return changed;
    }

    /// <summary>Whether the NAT was found to be of another kind since last asked; ports come and go without that. <paramref name="dependence"/>: to map by peer, or no longer to.</summary>
    public bool TakeNatChanged(out bool dependence)
    {
        NatDescription kind = Nat with { LastPort = 0, LowestPort = 0, HighestPort = 0 };
        bool changed = kind != _toldNat;
        dependence = kind.DependsOnPeer != _toldNat.DependsOnPeer;
        _toldNat = kind;
        return changed;
    }

    private bool IsInReach(in HomeContact home) => IsWorthTrying(home.Candidate) && (_onlyInReach is null || _onlyInReach.Contains(home.Endpoint));

    private void Follow()
    {
        Nat = Describe();
        bool any = false;
        while (_reflexive.TryEffect(out _))
        {
            any = true;
        }

        if (any)
        {
            Rebuild();
        }
    }

    private NatDescription Describe()
    {
        NatDescription mapped = _reflexive.Describe();
        return mapped with { Filtering = _filtering, Traits = mapped.Traits | (_hairpins ? NatTraits.Hairpins : NatTraits.None) };
    }

    private void Rebuild()
    {
        HashSet<Endpoint> seen = [];
        List<Candidate> candidates = [];
        Add(CandidateKind.Mapped, advertised);
        Add(CandidateKind.Mapped, _mapped);
        foreach (Endpoint host in _hosts)
        {
            Add(CandidateKind.Host, host);
        }

        Add(CandidateKind.Reflexive, _reflexive.Best(AddressFamily.InterNetwork));
        Add(CandidateKind.Reflexive, _reflexive.Best(AddressFamily.InterNetworkV6));
        candidates.Sort((a, b) => a.Preference.CompareTo(b.Preference));
        if (candidates.Count > Candidate.MaxListed)
        {
            candidates.RemoveRange(Candidate.MaxListed, candidates.Count - Candidate.MaxListed);
        }

        _changed |= !candidates.SequenceEqual(Candidates);
        Candidates = candidates;
        _ = Candidate.TryWriteList(candidates.ToArray(), _list, out _listBytes);

        void Add(CandidateKind kind, Endpoint endpoint)
        {
            if (!endpoint.IsNone && endpoint.Scope is not (AddressScope.Unusable or AddressScope.LinkLocal) && seen.Add(endpoint))
            {
                candidates.Add(new Candidate(kind, endpoint));
            }
        }
    }
}
