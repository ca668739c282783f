using System.Net.Sockets;
using Carrier.Core;

namespace Carrier.Nat;

/// <summary>Our endpoint as seen from outside has become another: the network or the NAT's mapping changed.</summary>
/// <param name="Previous">None when this is the first one known.</param>
/// <param name="Current">None when none is known any more.</param>
public readonly record struct ReflexiveChange(AddressFamily Family, Endpoint Previous, Endpoint Current);

/// <summary>What those we asked say our address is: one vote a source unit, the majority believed.</summary>
/// <remarks>
/// Feed it only answers to our own questions. A reporter is believed about addresses of its own scope only: a peer on the LAN cannot tell
/// what the Internet sees, nor the other way round. A lone report is used until someone disagrees; then the endpoint with most votes
/// stands, and on a tie the one that stood before, so one liar moves nothing that two others confirm.
/// </remarks>
public sealed class ReflexiveAddresses
{
    /// <summary>Votes kept a family; the oldest gives way.</summary>
    public const int MaxVotes = 32;

    /// <summary>Own endpoints kept to recognise that nothing is translated.</summary>
    public const int MaxHostEndpoints = 32;

    /// <summary>Votes needed before ports that differ are called the NAT's doing rather than a liar's.</summary>
    public const int VotesForDependence = 3;

    /// <summary>100.64.0.0/10 (RFC 6598).</summary>
    private const uint SharedAddressSpace = 0x6440_0000 >> 22;

    private readonly DropCounters _drops;
    private readonly ReflexiveBallot _ipv4 = new(AddressFamily.InterNetwork);
    private readonly ReflexiveBallot _ipv6 = new(AddressFamily.InterNetworkV6);
    private readonly List<Endpoint> _hosts = [];
    private readonly PortHistory _ports = new();

    public ReflexiveAddresses(DropCounters drops) => _drops = drops;

    /// <summary>How long a vote counts without being repeated: three leases of a UDP mapping behind a common NAT.</summary>
    public static TimeSpan VoteLifetime => TimeSpan.FromMinutes(5);

    public Instant NextDeadline => Instant.Min(_ipv4.NextExpiry, _ipv6.NextExpiry);

    /// <summary>The endpoint believed for a family, or none.</summary>
    public Endpoint Best(AddressFamily family) => BallotOf(family).Best;

    /// <summary>How our NAT maps, as far as the votes tell.</summary>
    public NatMapping Mapping(AddressFamily family)
    {
        ReflexiveBallot ballot = BallotOf(family);
        return !ballot.Best.IsNone && _hosts.Contains(ballot.Best) ? NatMapping.None : ballot.Mapping;
    }

    /// <summary>All that is known of the NAT before us, for peers that want to meet us.</summary>
    public NatDescription Describe()
    {
        NatMapping mapping = Mapping(AddressFamily.InterNetwork);
        NatTraits traits = _hosts.Exists(host => host.IsIPv4 && host.IPv4Address >> 22 == SharedAddressSpace) ? NatTraits.CarrierGrade : NatTraits.None;
        traits |= _hosts.Exists(host => !host.IsIPv4 && host.Scope == AddressScope.Global) ? NatTraits.HasIPv6 : NatTraits.None;
        NatDescription known = new(mapping, Traits: traits);
        return known.DependsOnPeer ? _ports.Describe(known) : known;
    }

    /// <summary>Tells which endpoints our sockets are bound to, wildcards resolved. At most <see cref="MaxHostEndpoints"/> are kept.</summary>
    public void SetHostEndpoints(ReadOnlySpan<Endpoint> hosts)
    {
        _hosts.Clear();
        _hosts.AddRange(hosts[..Math.Min(hosts.Length, MaxHostEndpoints)]);
    }

    /// <summary>Takes the address that <paramref name="reporter"/>, whom we asked, saw us at.</summary>
    public void Observe(Instant now, Endpoint reporter, Endpoint observed)
    {
        if (observed.Port == 0 || observed.Scope == AddressScope.Unusable || observed.Scope != reporter.Scope
            || observed.IsIPv4 != reporter.IsIPv4)
        {
            _drops.Count(DropReason.ScopeMismatch);
            return;
        }

        BallotOf(observed.Family).Cast(now, reporter.SourceUnit, observed);
        if (observed.IsIPv4 && observed.Scope == AddressScope.Global)
        {
            _ports.Add(observed.Port);
        }
    }

    /// <summary>Forgets votes that nobody repeated.</summary>
    public void HandleTimeout(Instant now)
    {
        _ipv4.Expire(now);
        _ipv6.Expire(now);
    }

    /// <summary>Forgets everything: our own interfaces changed.</summary>
    public void Reset()
    {
        _ipv4.Clear();
        _ipv6.Clear();
        _ports.Clear();
    }

    /// <summary>Takes the next change to tell of; at most one a family waits, the latest.</summary>
    public bool TryEffect(out ReflexiveChange change) => _ipv4.TryTakeChange(out change) || _ipv6.TryTakeChange(out change);

    private ReflexiveBallot BallotOf(AddressFamily family) => family == AddressFamily.InterNetwork ? _ipv4 : _ipv6;
}
