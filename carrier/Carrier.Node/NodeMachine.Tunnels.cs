using Carrier.Core;

namespace Carrier.Node;

/// <content>Endpoints that are reached through a tunnel instead of UDP: to the machines they are endpoints like others, but what they see of us is not our UDP address.</content>
public sealed partial class NodeMachine
{
    private readonly HashSet<Endpoint> _tunnelled = [];
    private bool _isUdpBlocked;
    private long _answersByUdp;

    /// <summary>Answers to our own questions that came by UDP. Any thread may read it.</summary>
    public long AnswersByUdp => Volatile.Read(ref _answersByUdp);

    /// <summary>Tells that an endpoint is reached through a tunnel from now on, or no longer: either way it sees us at another address, so a home there is told at once.</summary>
    public void SetTunnelled(Instant now, Endpoint remote, bool isTunnelled)
    {
        _ = isTunnelled ? _tunnelled.Add(remote) : _tunnelled.Remove(remote);
        TellReach(now);
        if (isTunnelled)
        {
            _dialer?.OnTunnelled(now, remote);
        }

        _homes?.Refresh(now, remote);
        if (_tunnelled.Count == 0)
        {
            _natTest?.Restart(now); // its questions go by UDP
        }

        Settle(now);
    }

    /// <summary>Tells that the network carries no UDP, or again does. While it does not and a tunnel is open, what no tunnel leads to is out of reach.</summary>
    public void SetUdpBlocked(Instant now, bool isBlocked)
    {
        if (isBlocked != _isUdpBlocked)
        {
            _isUdpBlocked = isBlocked;
            TellReach(now);
            Settle(now);
        }
    }

    private bool TryWantedTunnel(out NodeEffect effect)
    {
        bool any = _addresses.TryTakeWantedTunnel(out Endpoint home);
        effect = any ? new NodeEffect(NodeEffectKind.OpenTunnel) { Remote = home } : default;
        return any;
    }

    // Without a tunnel UDP is all there is, and may be slow or blocked toward the seeds alone.
    private void TellReach(Instant now)
    {
        HashSet<Endpoint>? only = _isUdpBlocked && _tunnelled.Count > 0 ? _tunnelled : null;
        _addresses.ReachOnly(only);
        _dht.ReachOnly(now, only);
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
