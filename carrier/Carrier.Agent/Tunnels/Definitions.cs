using System.Text.Json.Serialization;

namespace Carrier.Agent.Tunnels;

/// <summary>A service as its owner publishes it.</summary>
/// <param name="Target"><c>host:port</c>, or with <see cref="ServiceKind.Http"/> the absolute path of a folder.</param>
/// <param name="Allow">TrustIDs, or <c>any</c>; whoever has this device's own TrustID may always.</param>
/// <param name="MaxConnections">Connections, or UDP flows, at one time.</param>
/// <param name="MaxPerPeer">… of one TrustID.</param>
/// <param name="BytesPerSecond">Both ways together, over all connections; null for no limit.</param>
/// <param name="Lists">Whether a folder without <c>index.html</c> shows what is in it.</param>
internal sealed record ServiceDefinition(
    string Name,
    string Target,
    ServiceKind Kind,
    IReadOnlyList<string> Allow,
    int MaxConnections = TunnelLimits.DefaultConnections,
    int MaxPerPeer = TunnelLimits.DefaultPerPeer,
    long? BytesPerSecond = null,
    bool Lists = false)
{
    public const string Anybody = "any";
}

/// <summary>What a service leads to.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ServiceKind>))]
internal enum ServiceKind
{
    [JsonStringEnumMemberName("tcp")]
    Tcp,

    [JsonStringEnumMemberName("udp")]
    Udp,

    [JsonStringEnumMemberName("http")]
    Http,
}

/// <summary>A local port that leads to a peer's service.</summary>
/// <param name="Port">Zero for a free one.</param>
internal sealed record ForwardDefinition(string Bind, int Port, string Peer, string Service, bool Udp);

/// <summary>A local SOCKS5 port.</summary>
internal sealed record SocksDefinition(string Bind, int Port);

/// <summary>A service, forward or SOCKS port as it is now.</summary>
/// <param name="Id">What <c>carrier services stop</c> takes: the service's name, <c>forward:PORT</c>, <c>forward:PORT/udp</c> or <c>socks:PORT</c>.</param>
/// <param name="Local">Where a service leads, or where a forward listens.</param>
/// <param name="Protocol"><c>tcp</c>, <c>udp</c>, <c>http</c> or <c>socks</c>.</param>
/// <param name="Failed">Connections that were refused or never came about.</param>
/// <param name="Failure">Why a kept one does not run.</param>
internal sealed record TunnelReport(
    string Id,
    string Protocol,
    string Local,
    string? Peer,
    string? Service,
    IReadOnlyList<string>? Allow,
    bool Kept,
    int Open = 0,
    long Total = 0,
    long Failed = 0,
    long BytesIn = 0,
    long BytesOut = 0,
    string? Failure = null)
{
    public TunnelReport With(TunnelTotals totals) => this with
    {
        Open = totals.Open,
        Total = totals.Total,
        Failed = totals.Failed,
        BytesIn = totals.BytesIn,
        BytesOut = totals.BytesOut,
    };
}
