using Carrier.Core;
using Carrier.Nat;

namespace Carrier.Node.Homes;

/// <content>Silence toward one home, by which its owner learns how long the NAT keeps a mapping, and what that leaves to be guarded against.</content>
public sealed partial class HomeMachine
{
    /// <summary>Writes the homes that answered all they were asked; returns how many.</summary>
    public int CopyAnswering(Span<HomeContact> homes)
    {
        int count = 0;
        foreach (HomeLink link in _links.Where(link => link.IsAnswering))
        {
            homes[count++] = link.Contact;
        }

        return count;
    }

    /// <summary>Sends a home nothing until <see cref="EndSilence"/>, which comes before <paramref name="until"/>; a question of another machine ends it too. False where the home does not answer.</summary>
    public bool TryFallSilent(Instant now, Endpoint home, Instant until)
    {
        bool isSilent = _links.Find(link => link.Contact.Endpoint == home)?.TryFallSilent(until) is true;
        KeepSocketAlive(now);
        return isSilent;
    }

    /// <summary>Keeps a home alive again, at once.</summary>
    public void EndSilence(Instant now, Endpoint home) => _links.Find(link => link.Contact.Endpoint == home && link.IsAnswering)?.CheckNow(now);

    // What a NAT has one mapping for, whoever the peer is, lives by the socket's silence, and one home's tells nothing of that: the socket is never silent for longer
    // than a NAT is taken to bear untried.
    private void KeepSocketAlive(Instant now) =>
        _links.Where(link => link.Contact.Endpoint.IsIPv4).MinBy(link => link.KeepAliveAt)?.KeepAliveBy(now + MappingLifetime.Shortest);
}
