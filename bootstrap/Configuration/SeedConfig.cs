using System.Net;
using Carrier.Core;
using Carrier.Node.Relay;
using Microsoft.Extensions.Logging;

namespace Carrier.Seed.Configuration;

/// <summary>Everything an operator decides. What each part means and how it is written is said once, in <see cref="Setting.All"/>.</summary>
internal sealed record SeedConfig
{
    public IPEndPoint Listen { get; init; } = new(IPAddress.Any, 4242);

    public Endpoint? Advertise { get; init; }

    public string State { get; init; } = "/var/lib/carrier-seed";

    public IReadOnlyList<SeedAddress> Seeds { get; init; } = [];

    /// <summary>Where health and metrics are served; null nowhere.</summary>
    public IPEndPoint? Http { get; init; } = new(IPAddress.Loopback, 9090);

    /// <summary>The TCP port at the listening address where devices without UDP are served over TLS; null for none.</summary>
    public ushort? TunnelPort { get; init; } = 443;

    public RelayBudgets Relay { get; init; } = new();

    /// <summary>How long relayed traffic may go on after the signal to stop.</summary>
    public TimeSpan Drain { get; init; } = TimeSpan.FromSeconds(3);

    public LogFormat Log { get; init; }

    public LogLevel LogLevel { get; init; } = LogLevel.Information;
}

internal enum LogFormat
{
    Text,
    Json,
}
