using Carrier.Core;
using Carrier.Core.Identity;

namespace Carrier.Nat.Mdns;

/// <summary>A device of a TrustID looked for, found on a link. Nothing of it is proven before the handshake.</summary>
/// <param name="Peer">Whose it says it is.</param>
/// <param name="Delegation">Its delegation as encoded; not verified.</param>
/// <param name="Candidates">Where it is: addresses on a link of ours.</param>
public readonly record struct LinkPeer(TrustId Peer, ReadOnlyMemory<byte> Delegation, IReadOnlyList<Candidate> Candidates);

/// <summary>The devices heard on all links, and the TrustIDs that are looked for among them.</summary>
internal sealed class Neighbours(Action<LinkPeer> found)
{
    /// <summary>Devices remembered; the one heard longest ago gives way. Who is looked for is recognised as it speaks, remembered or not.</summary>
    public const int MaxRemembered = 256;

    /// <summary>TrustIDs looked for at once; the one looked for longest ago gives way.</summary>
    public const int MaxWanted = 256;

    /// <summary>Known answers in one question.</summary>
    private const int MaxKnownAnswers = 16;

    private readonly List<Neighbour> _heard = [];
    private readonly List<(TrustId Peer, Instant Until)> _wanted = [];

    /// <summary>How long a TrustID is looked for.</summary>
    public static TimeSpan Patience => TimeSpan.FromSeconds(4);

    public int Count => _heard.Count;

    public bool AnyWanted(Instant now)
    {
        _ = _wanted.RemoveAll(wanted => wanted.Until <= now);
        return _wanted.Count > 0;
    }

    /// <summary>Looks for a TrustID among those heard, and those heard in the next seconds.</summary>
    public void Want(Instant now, TrustId peer)
    {
        _ = _wanted.RemoveAll(wanted => wanted.Peer == peer || wanted.Until <= now);
        if (_wanted.Count == MaxWanted)
        {
            _wanted.RemoveAt(0);
        }

        _wanted.Add((peer, now + Patience));
        _ = _heard.RemoveAll(neighbour => neighbour.EndsAt <= now);
        _heard.ForEach(neighbour => Recognise(peer, neighbour));
    }

    public void Hear(Instant now, Neighbour neighbour)
    {
        _ = _heard.RemoveAll(other => other.EndsAt <= now || (other.Link == neighbour.Link && other.Label.SequenceEqual(neighbour.Label)));
        if (neighbour.HasLeft)
        {
            return;
        }

        if (_heard.Count == MaxRemembered)
        {
            _heard.RemoveAt(0);
        }

        _heard.Add(neighbour);
        _wanted.ForEach(wanted =>
        {
            if (wanted.Until > now)
            {
                Recognise(wanted.Peer, neighbour);
            }
        });
    }

    /// <summary>What a question on this link need not be told again, newest first.</summary>
    public IEnumerable<Neighbour> KnownOn(Instant now, int link) =>
        _heard.Where(neighbour => neighbour.Link == link && neighbour.IsFresh(now)).Reverse().Take(MaxKnownAnswers);

    /// <summary>A link is gone, or became another.</summary>
    public void Forget(int link) => _heard.RemoveAll(neighbour => neighbour.Link == link);

    private void Recognise(TrustId peer, Neighbour neighbour)
    {
        Span<byte> delegation = stackalloc byte[Delegation.MaxBytes];
        if (VeiledIdentity.TryOpen(peer, neighbour.Label, neighbour.Sealed, delegation, out int bytes))
        {
            found(new LinkPeer(peer, delegation[..bytes].ToArray(), [.. neighbour.Endpoints.Select(endpoint => new Candidate(CandidateKind.Host, endpoint))]));
        }
    }
}
