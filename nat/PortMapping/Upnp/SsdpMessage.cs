namespace Carrier.Nat.PortMapping.Upnp;

/// <summary>The search for an Internet gateway on the local network (UPnP Device Architecture 1.1 §1.3.2).</summary>
/// <remarks>
/// <code>
/// M-SEARCH * HTTP/1.1
/// HOST: 239.255.255.250:1900
/// MAN: "ssdp:discover"
/// MX: 1
/// ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1
/// (empty line)
/// </code>
/// A gateway of version 2 answers a search for version 1 too. It is sent to the group and straight to the gateway.
/// </remarks>
public static class SsdpSearch
{
    /// <summary>239.255.255.250, the group of SSDP.</summary>
    public const uint Group = 0xEFFF_FFFA;

    public const ushort Port = 1900;

    public static ReadOnlySpan<byte> Message =>
        "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\r\n"u8;
}

/// <summary>An answer to <see cref="SsdpSearch"/>: where the device describes itself.</summary>
public readonly record struct SsdpAnswer(GatewayAddress Location)
{
    /// <summary>Longer answers are no device's; common ones have 300 bytes.</summary>
    public const int MaxBytes = 1500;

    public static bool TryParse(ReadOnlySpan<byte> datagram, out SsdpAnswer answer)
    {
        answer = default;
        if (datagram.Length > MaxBytes || !HttpHead.TryParse(datagram, out HttpHead head) || head.Status != 200
            || !head.TryGet("LOCATION"u8, out ReadOnlySpan<byte> location) || !GatewayAddress.TryParse(location, out GatewayAddress address))
        {
            return false;
        }

        answer = new(address);
        return true;
    }
}
