using System.Buffers.Text;
using System.Globalization;
using System.Net;
using System.Text;
using Carrier.Core;

namespace Carrier.Nat.PortMapping.Upnp;

/// <summary>Writes the HTTP requests sent to a gateway: its description, and SOAP calls of the connection service. Each asks the gateway to close after it.</summary>
public static class IgdCall
{
    private const string Description = "carrier";

    public static byte[] GetDescription(in GatewayAddress at) =>
        Encoding.ASCII.GetBytes($"GET {at.Path} HTTP/1.1\r\nHost: {at.Host}\r\nConnection: close\r\n\r\n");

    public static byte[] GetExternalAddress(in IgdDescription igd) => Write(igd, "GetExternalIPAddress", "");

    /// <summary>Maps exactly <paramref name="externalPort"/>, or for version 2 any port near it: the answer says which.</summary>
    public static byte[] AddMapping(in IgdDescription igd, Endpoint client, ushort externalPort, TimeSpan lease, bool any) => Write(
        igd,
        any ? "AddAnyPortMapping" : "AddPortMapping",
        string.Create(CultureInfo.InvariantCulture, $"<NewRemoteHost></NewRemoteHost><NewExternalPort>{externalPort}</NewExternalPort><NewProtocol>UDP</NewProtocol>")
        + string.Create(CultureInfo.InvariantCulture, $"<NewInternalPort>{client.Port}</NewInternalPort><NewInternalClient>{client.ToIPEndPoint().Address}</NewInternalClient>")
        + string.Create(CultureInfo.InvariantCulture, $"<NewEnabled>1</NewEnabled><NewPortMappingDescription>{Description}</NewPortMappingDescription><NewLeaseDuration>{(uint)lease.TotalSeconds}</NewLeaseDuration>"));

    public static byte[] DeleteMapping(in IgdDescription igd, ushort externalPort) => Write(
        igd,
        "DeletePortMapping",
        string.Create(CultureInfo.InvariantCulture, $"<NewRemoteHost></NewRemoteHost><NewExternalPort>{externalPort}</NewExternalPort><NewProtocol>UDP</NewProtocol>"));

    private static byte[] Write(in IgdDescription igd, string action, string arguments)
    {
        string urn = igd.Service.Urn();
        string body = "<?xml version=\"1.0\"?>\r\n<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\">"
            + $"<s:Body><u:{action} xmlns:u=\"{urn}\">{arguments}</u:{action}></s:Body></s:Envelope>\r\n";
        string head = $"POST {igd.Control.Path} HTTP/1.1\r\nHost: {igd.Control.Host}\r\nContent-Type: text/xml; charset=\"utf-8\"\r\n"
            + string.Create(CultureInfo.InvariantCulture, $"SOAPAction: \"{urn}#{action}\"\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n");
        return Encoding.ASCII.GetBytes(head + body);
    }
}

/// <summary>What a gateway answered a SOAP call. Members the answer does not have are none or zero.</summary>
/// <param name="ErrorCode">UPnP's own error, such as 718 for a port that is taken; zero when there is none.</param>
public readonly record struct IgdAnswer(Endpoint ExternalAddress, ushort ReservedPort, int ErrorCode)
{
    public const int InvalidAction = 401;
    public const int ConflictInMappingEntry = 718;
    public const int SamePortValuesRequired = 724;
    public const int OnlyPermanentLeases = 725;
    public const int ConflictWithOtherMechanisms = 729;

    public static bool TryParse(ReadOnlySpan<byte> xml, out IgdAnswer answer)
    {
        answer = default;
        XmlScan scan = new(xml);
        ReadOnlySpan<byte> element = default;
        for (XmlToken token = scan.Next(); token != XmlToken.End; token = scan.Next())
        {
            if (token != XmlToken.Text)
            {
                element = token == XmlToken.Open ? scan.Value : default;
            }
            else if (element.SequenceEqual("NewExternalIPAddress"u8) && TryReadAddress(scan.Value, out Endpoint external))
            {
                answer = answer with { ExternalAddress = external };
            }
            else if (element.SequenceEqual("NewReservedPort"u8) && TryReadNumber(scan.Value, ushort.MaxValue, out int port))
            {
                answer = answer with { ReservedPort = (ushort)port };
            }
            else if (element.SequenceEqual("errorCode"u8) && TryReadNumber(scan.Value, 999, out int code))
            {
                answer = answer with { ErrorCode = code };
            }
        }

        return !scan.IsMalformed;
    }

    private static bool TryReadNumber(ReadOnlySpan<byte> text, int most, out int number) =>
        Utf8Parser.TryParse(text, out number, out int digits) && digits == text.Length && number >= 0 && number <= most;

    private static bool TryReadAddress(ReadOnlySpan<byte> text, out Endpoint external)
    {
        external = default;
        Span<char> chars = stackalloc char[15];
        if (text.Length > chars.Length || Ascii.ToUtf16(text, chars, out int length) != System.Buffers.OperationStatus.Done
            || !IPAddress.TryParse(chars[..length], out IPAddress? address) || address.AddressFamily != System.Net.Sockets.AddressFamily.InterNetwork)
        {
            return false;
        }

        external = Endpoint.From(new IPEndPoint(address, 0));
        return true;
    }
}
