using System.Globalization;
using Carrier.Core;
using Carrier.Node.Relay;
using Microsoft.Extensions.Logging;

namespace Carrier.Seed.Configuration;

/// <summary>One thing an operator may decide, the same in the file (<c>"relay-total"</c>), the environment (<c>CARRIER_SEED_RELAY_TOTAL</c>) and the flags (<c>--relay-total</c>).</summary>
/// <param name="Name">Its key in the file.</param>
/// <param name="Form">What a value looks like.</param>
/// <param name="Description">What it decides, with its default.</param>
/// <param name="Apply">The configuration with this value; null when the value is not of the form.</param>
internal sealed record Setting(string Name, string Form, string Description, Func<SeedConfig, string, SeedConfig?> Apply)
{
    public const string EnvironmentPrefix = "CARRIER_SEED_";

    /// <summary>The longest drain: beyond it orchestrators have long lost patience.</summary>
    private const int MaxDrainSeconds = 600;

    /// <summary>A relay's bucket holds this part of what a second brings: enough for a burst, too little to build a queue.</summary>
    private const double BurstSeconds = 0.25;

    /// <summary>The least rate: half its bucket must hold a full packet and what handling one costs, or nothing would ever pass.</summary>
    private const double MinRateBytes = 2 * (RelayMachine.MaxDatagramBytes + RelayBudgets.PacketCostBytes) / BurstSeconds;

    public static IReadOnlyList<Setting> All { get; } =
    [
        new("listen", "ip:port", "UDP address to serve at; [::]:port serves IPv4 too. Default 0.0.0.0:4242.", (config, value) =>
            Endpoint.TryParse(value, out Endpoint at) ? config with { Listen = at.ToIPEndPoint() } : null),
        new("advertise", "ip:port", "Address others reach this seed at. Default: the listening address, or this machine's only one.", (config, value) =>
            Endpoint.TryParse(value, out Endpoint at) && at.Port != 0 && at.Scope != AddressScope.Unusable ? config with { Advertise = at } : null),
        new("state", "DIR", "Folder of the identity and the routing table. Default /var/lib/carrier-seed.", (config, value) =>
            value.Length > 0 ? config with { State = Path.GetFullPath(value) } : null),
        new("seed", "key@host:port", "Another seed to join the network through.", (config, value) =>
            SeedAddress.TryParse(value, out SeedAddress seed) ? config with { Seeds = [.. config.Seeds, seed] } : null) { IsList = true },
        new("http", "ip:port|none", "TCP address of /healthz and /metrics, without any authentication. Default 127.0.0.1:9090.", (config, value) =>
            value == "none" ? config with { Http = null } : Endpoint.TryParse(value, out Endpoint at) ? config with { Http = at.ToIPEndPoint() } : null),
        new("tunnel", "PORT|none", "TCP port where devices without UDP are served over TLS; they look at 443. Default 443.", (config, value) =>
            value == "none" ? config with { TunnelPort = null }
            : ushort.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out ushort port) && port != 0 ? config with { TunnelPort = port } : null),
        new("relay-total", "RATE", "Bytes a second relayed in all: 500k, 64M, 1G or unlimited. Default 64M.", (config, value) =>
            TryRate(value, out TokenRate rate) ? config with { Relay = config.Relay with { Global = rate } } : null),
        new("relay-source", "RATE", "Bytes a second relayed from one IPv4 /24 or IPv6 /48. Default 32M.", (config, value) =>
            TryRate(value, out TokenRate rate) ? config with { Relay = config.Relay with { SourceUnit = rate } } : null),
        new("relay-device", "RATE", "Bytes a second relayed for one device. Default 16M.", (config, value) =>
            TryRate(value, out TokenRate rate) ? config with { Relay = config.Relay with { Registration = rate } } : null),
        new("relay-channel", "RATE", "Bytes a second relayed between two devices. Default 8M.", (config, value) =>
            TryRate(value, out TokenRate rate) ? config with { Relay = config.Relay with { Channel = rate } } : null),
        new("drain", "SECONDS", "How long relayed traffic may go on after SIGTERM. Default 3.", (config, value) =>
            int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int seconds) && seconds <= MaxDrainSeconds
                ? config with { Drain = TimeSpan.FromSeconds(seconds) }
                : null),
        new("log", "text|json", "Form of the log, on standard error. Default text.", (config, value) =>
            value is "text" or "json" ? config with { Log = value == "json" ? LogFormat.Json : LogFormat.Text } : null),
        new("log-level", "debug|information|warning|error", "The least that is logged. Default information.", (config, value) =>
            value is "debug" or "information" or "warning" or "error" ? config with { LogLevel = Enum.Parse<LogLevel>(value, ignoreCase: true) } : null),
    ];

    /// <summary>Whether it may be given more than once.</summary>
    public bool IsList { get; private init; }

    public string Flag => "--" + Name;

    public string Variable => EnvironmentPrefix + Name.ToUpperInvariant().Replace('-', '_');

    /// <summary>Reads bytes a second with a decimal suffix.</summary>
    private static bool TryRate(string text, out TokenRate rate)
    {
        rate = TokenRate.Unlimited;
        if (text == "unlimited")
        {
            return true;
        }

        double unit = text.Length == 0 ? 1 : text[^1] switch { 'k' => 1e3, 'M' => 1e6, 'G' => 1e9, _ => 1 };
        ReadOnlySpan<char> digits = unit == 1 ? text : text.AsSpan(0, text.Length - 1);
        if (!uint.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out uint number) || number * unit < MinRateBytes)
        {
            return false;
        }

        rate = new TokenRate(number * unit, number * unit * BurstSeconds);
        return true;
    }
}
