using Carrier.Core;
using Carrier.Dht.Routing;

namespace Carrier.Dht.Lookups;

/// <summary>One iterative lookup (Maymounkov 2002 §2.3): whom to ask next on the way to a target, and when the closest nodes are known.</summary>
/// <remarks>
/// α calls are in flight; one that stalls frees its place at once. A path has converged when its closest live candidates have all
/// answered and nobody unasked is left inside the region. It sends nothing itself: <see cref="DhtMachine"/> asks <see cref="Next"/>.
/// </remarks>
internal sealed class Lookup
{
    /// <summary>Calls in flight at once; stalled ones do not count.</summary>
    public const int Alpha = 10;

    /// <summary>Calls one lookup may make in all.</summary>
    public const int MaxCalls = 256;

    /// <summary>Candidates of one global source unit a lookup follows: an address block cannot fill it.</summary>
    public const int MaxOfUnit = 4;

    /// <summary>A lookup ends after this, with what it has.</summary>
    public static readonly TimeSpan MaxDuration = TimeSpan.FromSeconds(10);

    /// <summary>With several paths each needs to see fewer nodes around the target; together they see more.</summary>
    private const int MinWindowOfPath = 8;

    private readonly LookupPath[] _paths;
    private readonly double _regionFraction;
    private readonly Dictionary<Contact, Candidate> _known = [];
    private readonly Dictionary<Endpoint, int> _unitCounts = [];
    private readonly SortedList<Distance, Contact> _outOfReach = [];
    private int _nextPath;

    public Lookup(Instant now, DhtKey target, int paths, double regionFraction)
    {
        Target = target;
        Deadline = now + MaxDuration;
        _regionFraction = regionFraction;
        int window = paths == 1 ? RoutingTable.K : Math.Max(MinWindowOfPath, 2 * RoutingTable.K / paths);
        _paths = new LookupPath[paths];
        for (int i = 0; i < paths; i++)
        {
            _paths[i] = new LookupPath(window, regionFraction);
        }
    }

    public DhtKey Target { get; }

    public Instant Deadline { get; }

    public int Calls { get; private set; }

    /// <summary>Nodes that returned the record looked for.</summary>
    public int Holders { get; set; }

    /// <summary>Deals the first contacts out over the paths.</summary>
    public void Seed(ReadOnlySpan<Contact> contacts)
    {
        for (int i = 0; i < contacts.Length; i++)
        {
            Learn(_paths[i % _paths.Length], contacts[i]);
        }
    }

    /// <summary>Takes in what an asked candidate named.</summary>
    public void Learn(Candidate from, in Contact contact) => Learn(from.Owner!, contact);

    /// <summary>Notes a node that was named but advertises an address of a family without a route from here; the k closest are remembered.</summary>
    public void LearnOutOfReach(in Contact contact)
    {
        _ = _outOfReach.TryAdd(contact.Id.DistanceTo(Target), contact);
        if (_outOfReach.Count > RoutingTable.K)
        {
            _outOfReach.RemoveAt(RoutingTable.K);
        }
    }

    /// <summary>Whether a node out of reach belongs among these, the closest that answered: it may keep what was looked for, and should what is put.</summary>
    /// <remarks>A node that answered at its address of the other family is not missed.</remarks>
    public bool Misses(List<Candidate> closest)
    {
        foreach ((Distance distance, Contact missed) in _outOfReach)
        {
            bool belongs = closest.Count < RoutingTable.K || distance < closest[^1].Distance;
            if (belongs && !closest.Exists(candidate => candidate.Contact.Key == missed.Key))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The next candidate to ask, or null when α are in flight or nobody is left to ask for now.</summary>
    public Candidate? Next()
    {
        int alphaOfPath = (Alpha + _paths.Length - 1) / _paths.Length;
        for (int i = 0; i < _paths.Length && Calls < MaxCalls; i++)
        {
            LookupPath path = _paths[_nextPath];
            _nextPath = (_nextPath + 1) % _paths.Length;
            if (path.InFlight < alphaOfPath && path.Next(out _) is { } candidate)
            {
                candidate.Owner = path;
                return candidate;
            }
        }

        return null;
    }

    public void Asked(Candidate candidate)
    {
        Calls++;
        candidate.State = CandidateState.Asked;
        candidate.Owner!.InFlight++;
    }

    public static void Stalled(Candidate candidate) => Leave(candidate, CandidateState.Stalled);

    public static void Answered(Candidate candidate) => Leave(candidate, CandidateState.Answered);

    public static void Failed(Candidate candidate) => Leave(candidate, CandidateState.Failed);

    /// <summary>All paths have converged, or the calls are used up and none is in flight.</summary>
    public bool HasConverged()
    {
        foreach (LookupPath path in _paths)
        {
            bool open = path.Next(out bool hasConverged) is not null || !hasConverged;
            if (open && (Calls < MaxCalls || path.InFlight > 0))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Whether a node that stalled may still answer.</summary>
    public bool AwaitsStalled()
    {
        foreach (Candidate candidate in _known.Values)
        {
            if (candidate.State == CandidateState.Stalled)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether any node answered at all.</summary>
    public bool HasAnswers()
    {
        foreach (Candidate candidate in _known.Values)
        {
            if (candidate.State == CandidateState.Answered)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Those that answered, closest first: k, and all others within the region, up to <paramref name="max"/>.</summary>
    public List<Candidate> Closest(int max)
    {
        List<Candidate> answered = [];
        foreach (Candidate candidate in _known.Values)
        {
            if (candidate.State == CandidateState.Answered)
            {
                answered.Add(candidate);
            }
        }

        answered.Sort(static (a, b) => a.Distance.CompareTo(b.Distance));
        int keep = Math.Min(answered.Count, RoutingTable.K);
        while (keep < Math.Min(answered.Count, max) && answered[keep].Distance.Fraction <= _regionFraction)
        {
            keep++;
        }

        answered.RemoveRange(keep, answered.Count - keep);
        return answered;
    }

    private static void Leave(Candidate candidate, CandidateState state)
    {
        if (candidate.State == CandidateState.Asked)
        {
            candidate.Owner!.InFlight--;
        }

        candidate.State = state;
    }

    private void Learn(LookupPath path, in Contact contact)
    {
        if (_known.TryGetValue(contact, out Candidate? candidate))
        {
            if (candidate.Owner is null)
            {
                path.Add(candidate); // named on two paths: whichever gets to it first asks it
            }

            return;
        }

        if (contact.Endpoint.Scope == AddressScope.Global)
        {
            Endpoint unit = contact.Endpoint.SourceUnit;
            int count = _unitCounts.GetValueOrDefault(unit);
            if (count >= MaxOfUnit)
            {
                return;
            }

            _unitCounts[unit] = count + 1;
        }

        candidate = new Candidate(contact, contact.Id.DistanceTo(Target));
        _known.Add(contact, candidate);
        path.Add(candidate);
    }
}
