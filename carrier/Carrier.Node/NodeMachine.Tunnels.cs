using Carrier.Core;

namespace Carrier.Node;

/// <content>Endpoints that are reached through a tunnel instead of UDP: to the machines they are endpoints like others, but what they see of us is not our UDP address.</content>
public sealed partial class NodeMachine
{
    private readonly HashSet<Endpoint> _tunnelled = [];
    private long _answersByUdp;

    /// <summary>Answers to our own questions that came by UDP. Any thread may read it.</summary>
    public long AnswersByUdp => Volatile.Read(ref _answersByUdp);

    /// <summary>Tells that an endpoint is reached through a tunnel from now on, or no longer: either way it sees us at another address, so a home there is told at once.</summary>
    public void SetTunnelled(Instant now, Endpoint remote, bool isTunnelled)
    {
        _ = isTunnelled ? _tunnelled.Add(remote) : _tunnelled.Remove(remote);
        _homes?.Refresh(now, remote);
        _dht.AskSeedsAgain(now);
        if (_tunnelled.Count == 0)
        {
            _natTest?.Restart(now); // its questions go by UDP
        }

        Settle(now);
    }

    /// <summary>Takes what a node that answered our question saw of us.</summary>
    private void Observe(Instant now, Endpoint reporter, Endpoint observed)
    {
        if (_tunnelled.Count == 0 || !_tunnelled.Contains(reporter))
        {
            Volatile.Write(ref _answersByUdp, _answersByUdp + 1);
            _addresses.Observe(now, reporter, observed);
        }
    }
}
