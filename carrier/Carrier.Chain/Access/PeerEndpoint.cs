using System.Globalization;

namespace Carrier.Chain.Access;

/// <summary>Where a peer of the P2P network listens.</summary>
public sealed record PeerEndpoint(string Host, int Port)
{
    /// <summary>Reads <c>host</c>, <c>host:port</c> or <c>[address]:port</c>.</summary>
    public static bool TryParse(string text, int defaultPort, out PeerEndpoint? endpoint)
    {
        ArgumentNullException.ThrowIfNull(text);
        endpoint = null;
        string host = text;
        int port = defaultPort;
        int colon = text.LastIndexOf(':');
        bool hasPort = colon > 0 && (text.IndexOf(':', StringComparison.Ordinal) == colon || text[colon - 1] == ']');
        if (hasPort)
        {
            host = text[..colon];
            if (!int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port))
            {
                return false;
            }
        }

        host = host.TrimStart('[').TrimEnd(']');
        if (port is < 1 or > ushort.MaxValue || Uri.CheckHostName(host) == UriHostNameType.Unknown)
        {
            return false;
        }

        endpoint = new PeerEndpoint(host, port);
        return true;
    }

    public override string ToString() => Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";
}
