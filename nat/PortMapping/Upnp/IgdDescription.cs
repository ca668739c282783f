namespace Carrier.Nat.PortMapping.Upnp;

/// <summary>The services of a gateway that map ports, least wanted first.</summary>
public enum IgdService
{
    None = 0,
    WanPppConnection1,
    WanIpConnection1,
    WanIpConnection2,
}

/// <summary>What of a gateway's description concerns us: which service maps ports, and where it is controlled (WANIPConnection:1 and :2, WANPPPConnection:1).</summary>
public readonly record struct IgdDescription(IgdService Service, GatewayAddress Control)
{
    /// <summary>Finds the best service in a description.</summary>
    /// <param name="xml">The document, at most <see cref="HttpAnswer.MaxBytes"/>.</param>
    /// <param name="location">Where it came from; a control address that is a path is resolved against it.</param>
    /// <param name="description">The best service whose control address can be read. It may be on another host: not for following unlooked.</param>
    public static bool TryParse(ReadOnlySpan<byte> xml, in GatewayAddress location, out IgdDescription description)
    {
        description = default;
        XmlScan scan = new(xml);
        IgdService service = IgdService.None;
        ReadOnlySpan<byte> control = default, element = default;
        for (XmlToken token = scan.Next(); token != XmlToken.End; token = scan.Next())
        {
            if (token == XmlToken.Open)
            {
                element = scan.Value;
                if (element.SequenceEqual("service"u8))
                {
                    service = IgdService.None;
                    control = default;
                }
            }
            else if (token == XmlToken.Text && element.SequenceEqual("serviceType"u8))
            {
                service = IgdServices.Of(scan.Value);
            }
            else if (token == XmlToken.Text && element.SequenceEqual("controlURL"u8))
            {
                control = scan.Value;
            }
            else if (token == XmlToken.Close)
            {
                element = default;
                if (scan.Value.SequenceEqual("service"u8) && service > description.Service && location.TryResolve(control, out GatewayAddress address))
                {
                    description = new(service, address);
                }
            }
        }

        return !scan.IsMalformed && description.Service != IgdService.None;
    }
}

/// <summary>The services' names on the wire.</summary>
internal static class IgdServices
{
    public static IgdService Of(ReadOnlySpan<byte> urn) =>
        urn.SequenceEqual("urn:schemas-upnp-org:service:WANIPConnection:2"u8) ? IgdService.WanIpConnection2
        : urn.SequenceEqual("urn:schemas-upnp-org:service:WANIPConnection:1"u8) ? IgdService.WanIpConnection1
        : urn.SequenceEqual("urn:schemas-upnp-org:service:WANPPPConnection:1"u8) ? IgdService.WanPppConnection1
        : IgdService.None;

    public static string Urn(this IgdService service) => service switch
    {
        IgdService.WanIpConnection2 => "urn:schemas-upnp-org:service:WANIPConnection:2",
        IgdService.WanIpConnection1 => "urn:schemas-upnp-org:service:WANIPConnection:1",
        IgdService.WanPppConnection1 => "urn:schemas-upnp-org:service:WANPPPConnection:1",
        _ => throw new ArgumentOutOfRangeException(nameof(service)),
    };
}
