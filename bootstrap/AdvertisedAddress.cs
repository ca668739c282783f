using System.Net;
using System.Net.NetworkInformation;
using Carrier.Core;
using Carrier.Seed.Configuration;

namespace Carrier.Seed;

/// <summary>Where others reach this seed, when the operator did not say.</summary>
internal static class AdvertisedAddress
{
    /// <summary>
    /// What was told; else the one address listened at; else this machine's only address of the family, a global one before a private one.
    /// False when there are several or none: a wrong guess would send the whole network elsewhere.
    /// </summary>
    public static bool TryChoose(SeedConfig config, IEnumerable<IPAddress> addresses, out Endpoint advertised)
    {
        advertised = config.Advertise ?? Endpoint.From(config.Listen);
        bool isAny = config.Listen.Address.Equals(IPAddress.Any) || config.Listen.Address.Equals(IPAddress.IPv6Any);
        if (config.Advertise is not null || !isAny)
        {
            return true;
        }

        // [::] hears IPv4 too, and more devices have that.
        Endpoint[] own = [.. addresses.Select(address => Endpoint.From(new IPEndPoint(address, config.Listen.Port)))
            .Where(endpoint => endpoint.Scope >= AddressScope.Private && (endpoint.IsIPv4 || config.Listen.Address.Equals(IPAddress.IPv6Any)))];
        Endpoint[][] byPreference =
        [
            [.. own.Where(endpoint => endpoint.IsIPv4 && endpoint.Scope == AddressScope.Global)],
            [.. own.Where(endpoint => !endpoint.IsIPv4 && endpoint.Scope == AddressScope.Global)],
            own,
        ];
        Endpoint[] best = byPreference.FirstOrDefault(group => group.Length > 0) ?? [];
        advertised = best.Length == 1 ? best[0] : default;
        return best.Length == 1 && advertised.Port != 0;
    }

    /// <summary>The addresses of the interfaces that are up.</summary>
    public static IEnumerable<IPAddress> OfThisMachine() =>
        NetworkInterface.GetAllNetworkInterfaces()
            .Where(card => card.OperationalStatus is OperationalStatus.Up or OperationalStatus.Unknown)
            .SelectMany(card => card.GetIPProperties().UnicastAddresses)
            .Select(unicast => unicast.Address);
}
