using System.Net;
using Carrier.Core.Identity;

namespace Carrier.Agent.Tunnels.Forwarding;

/// <summary><c>carrier forward</c>: a local TCP port that leads to one service of one peer.</summary>
internal sealed class TcpForward : IForward
{
    private readonly LocalPort _port;

    /// <param name="ended">Told how each connection ended.</param>
    /// <exception cref="State.AgentException">The port is taken.</exception>
    public TcpForward(ForwardDefinition definition, TrustId peer, ServiceName service, Forwarder forwarder, Action<TunnelEnd> ended) =>
        _port = LocalPort.Open(definition.Bind, definition.Port, async (local, cancellationToken) =>
            ended(await forwarder.RunAsync(peer, service, "forward", local, Totals, cancellationToken).ConfigureAwait(false)));

    public IPEndPoint Address => _port.Address;

    public TunnelTotals Totals { get; } = new();

    public ValueTask DisposeAsync() => _port.DisposeAsync();
}
