using System.Net;

namespace Carrier.Agent.Tunnels.Forwarding;

/// <summary>An open local port that leads elsewhere. Disposing closes it and all that came in through it.</summary>
internal interface IForward : IAsyncDisposable
{
    IPEndPoint Address { get; }

    TunnelTotals Totals { get; }
}
