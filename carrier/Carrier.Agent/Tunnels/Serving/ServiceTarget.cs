using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Carrier.Agent.State;

namespace Carrier.Agent.Tunnels.Serving;

/// <summary>Where a service leads, as <c>host:port</c>; a host name is looked up for every connection.</summary>
internal static class ServiceTarget
{
    /// <summary>Reads <c>127.0.0.1:22</c>, <c>[::1]:22</c>, <c>localhost:22</c>.</summary>
    public static bool TryParse(string text, out EndPoint target)
    {
        target = new IPEndPoint(IPAddress.None, 0);
        int colon = text.LastIndexOf(':');
        if (colon < 1 || !ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out ushort port) || port == 0)
        {
            return false;
        }

        string host = text[..colon];
        if (host.StartsWith('[') && host.EndsWith(']') && IPAddress.TryParse(host.AsSpan(1, host.Length - 2), out IPAddress? six))
        {
            target = new IPEndPoint(six, port);
            return true;
        }

        if (IPAddress.TryParse(host, out IPAddress? four) && four.AddressFamily == AddressFamily.InterNetwork)
        {
            target = new IPEndPoint(four, port);
            return true;
        }

        if (Uri.CheckHostName(host) != UriHostNameType.Dns)
        {
            return false;
        }

        target = new DnsEndPoint(host, port);
        return true;
    }

    public static EndPoint Parse(string text) => TryParse(text, out EndPoint target)
        ? target
        : throw new AgentException(ExitCode.Usage, $"'{text}' is nowhere to lead to: give host:port, such as 127.0.0.1:22.");
}
