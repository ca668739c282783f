namespace Carrier.Dht.Lookups;

/// <summary>One of a lookup's disjoint paths (Baumgart 2007, S/Kademlia §4.4): it follows only what its own nodes named.</summary>
/// <param name="window">How many of the closest live candidates must have answered before the path has converged.</param>
/// <param name="regionFraction">Candidates within this distance are asked whatever their rank; zero for none.</param>
internal sealed class LookupPath(int window, double regionFraction)
{
    /// <summary>Candidates kept; farther ones that were not asked give way.</summary>
    public const int MaxCandidates = 160;

    private readonly List<Candidate> _byDistance = [];

    /// <summary>Calls that are neither over nor stalled.</summary>
    public int InFlight { get; set; }

    /// <summary>Takes in a candidate; one already here is not taken twice.</summary>
    public void Add(Candidate candidate)
    {
        if (_byDistance.Contains(candidate))
        {
            return;
        }

        int at = _byDistance.Count;
        while (at > 0 && _byDistance[at - 1].Distance > candidate.Distance)
        {
            at--;
        }

        if (at < MaxCandidates)
        {
            _byDistance.Insert(at, candidate);
        }

        if (_byDistance.Count > MaxCandidates)
        {
            _byDistance.RemoveAt(MaxCandidates);
        }
    }

    /// <summary>The closest candidate worth asking now, or null; and whether the path has nothing left to ask or wait for.</summary>
    /// <remarks>Failed and stalled candidates, and those another path asked, take no place in the window.</remarks>
    public Candidate? Next(out bool hasConverged)
    {
        int places = 0;
        bool waits = false;
        foreach (Candidate candidate in _byDistance)
        {
            if (places >= window && candidate.Distance.Fraction > regionFraction)
            {
                break;
            }

            if (candidate.State == CandidateState.Known && candidate.Owner is null)
            {
                hasConverged = false;
                return candidate;
            }

            bool counts = candidate.Owner == this && (candidate.State is CandidateState.Asked or CandidateState.Answered);
            places += counts ? 1 : 0;
            waits |= counts && candidate.State == CandidateState.Asked;
        }

        hasConverged = !waits;
        return null;
    }
}
