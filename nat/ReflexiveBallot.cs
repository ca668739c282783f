using System.Net.Sockets;
using Carrier.Core;

namespace Carrier.Nat;

/// <summary>The votes of one address family and who is winning.</summary>
internal sealed class ReflexiveBallot(AddressFamily family)
{
    /// <summary>One liar alone moves nothing.</summary>
    private const int VotesForMove = 2;

    private readonly List<Vote> _votes = [];
    private Endpoint _told;
    private Endpoint _movedTo;
    private int _moves;

    public Endpoint Best { get; private set; }

    public NatMapping Mapping { get; private set; }

    public Instant NextExpiry { get; private set; } = Instant.Never;

    public void Cast(Instant now, Endpoint reporterUnit, Endpoint observed)
    {
        int known = _votes.FindIndex(vote => vote.ReporterUnit == reporterUnit);
        if (known >= 0)
        {
            Follow(_votes[known].Observed, observed);
            known = _votes.FindIndex(vote => vote.ReporterUnit == reporterUnit);
        }

        if (known >= 0)
        {
            _votes.RemoveAt(known);
        }
        else if (_votes.Count == ReflexiveAddresses.MaxVotes)
        {
            _votes.RemoveAt(0); // in the order they were cast: the oldest
        }

        _votes.Add(new(reporterUnit, observed, now + ReflexiveAddresses.VoteLifetime));
        Count();
    }

    public void Expire(Instant now)
    {
        if (now >= NextExpiry)
        {
            DropExpired(now);
        }
    }

    public void Clear()
    {
        _votes.Clear();
        Count();
    }

    public bool TryTakeChange(out ReflexiveChange change)
    {
        change = new(family, _told, Best);
        bool changed = _told != Best;
        _told = Best;
        return changed;
    }

    // Apart, because its closure would be made at every look.
    private void DropExpired(Instant now)
    {
        _ = _votes.RemoveAll(vote => vote.Expiry <= now);
        Count();
    }

    // Two who had confirmed an endpoint see the same other one now: the mapping changed under the votes of all who have not been asked since.
    private void Follow(Endpoint before, Endpoint observed)
    {
        if (before != Best || observed == Best)
        {
            return;
        }

        _moves = observed == _movedTo ? _moves + 1 : 1;
        _movedTo = observed;
        if (_moves >= VotesForMove)
        {
            _ = _votes.RemoveAll(vote => vote.Observed == Best);
        }
    }

    private void Count()
    {
        NextExpiry = _votes.Count == 0 ? Instant.Never : _votes[0].Expiry;
        // The widest scope heard from is the one that matters: what the LAN sees is no help to those outside it.
        AddressScope widest = AddressScope.Unusable;
        foreach (Vote vote in _votes)
        {
            widest = vote.Observed.Scope > widest ? vote.Observed.Scope : widest;
        }

        (int total, int most, int mostAtAddress) = (0, 0, 0);
        Endpoint winner = default;
        foreach (Vote vote in _votes)
        {
            if (vote.Observed.Scope != widest)
            {
                continue;
            }

            total++;
            int votes = VotesFor(vote.Observed, samePort: true);
            mostAtAddress = Math.Max(mostAtAddress, VotesFor(vote.Observed, samePort: false));
            if (votes > most || (votes == most && vote.Observed == Best))
            {
                (winner, most) = (vote.Observed, votes);
            }
        }

        Best = winner;
        Mapping = Classify(total, most, mostAtAddress);
    }

    private static NatMapping Classify(int total, int most, int mostAtAddress)
    {
        if (most >= 2 && most * 2 > total)
        {
            return NatMapping.EndpointIndependent;
        }

        // One address, no port with a majority: the port depends on whom we talk to.
        return mostAtAddress >= ReflexiveAddresses.VotesForDependence ? NatMapping.AddressDependent : NatMapping.Unknown;
    }

    private int VotesFor(Endpoint endpoint, bool samePort)
    {
        int votes = 0;
        foreach (Vote vote in _votes)
        {
            Endpoint observed = samePort ? vote.Observed : vote.Observed.WithPort(endpoint.Port);
            votes += observed == endpoint ? 1 : 0;
        }

        return votes;
    }

    private readonly record struct Vote(Endpoint ReporterUnit, Endpoint Observed, Instant Expiry);
}
