using Carrier.Core;

namespace Carrier.Tunnels;

/// <summary>The tunnels of a node, by the endpoint each stands for. The network thread only.</summary>
internal sealed class TunnelTable
{
    private readonly Dictionary<Endpoint, Tunnel> _tunnels = [];

    public int Count => _tunnels.Count;

    /// <summary>A newer tunnel to the same endpoint takes over.</summary>
    public void Add(Tunnel tunnel) => _tunnels[tunnel.Remote] = tunnel;

    /// <summary>Removes a tunnel; false when another has taken its place.</summary>
    public bool Remove(Tunnel tunnel) => _tunnels.TryGetValue(tunnel.Remote, out Tunnel? current) && current == tunnel && _tunnels.Remove(tunnel.Remote);

    /// <summary>Sends by a tunnel if one stands for the endpoint; false where UDP must do it.</summary>
    public bool TrySend(Endpoint to, ReadOnlySpan<byte> datagrams, int segmentBytes)
    {
        if (_tunnels.Count == 0 || !_tunnels.TryGetValue(to, out Tunnel? tunnel))
        {
            return false;
        }

        tunnel.Send(datagrams, segmentBytes);
        return true;
    }
}
