using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Carrier.Core;
using Carrier.Nat.PortMapping;

namespace Carrier.Gateways;

/// <summary>Finds the router before this machine and the machine's own address towards it.</summary>
internal static class DefaultGateway
{
    private const string RouteTable = "/proc/net/route";

    /// <summary>The route to ask for a mapping of <paramref name="udpPort"/>; null when there is no IPv4 router, or nothing to map behind it.</summary>
    /// <param name="udpPort">The port to be reached at.</param>
    /// <param name="bound">The address the socket is bound to, or any.</param>
    public static GatewayRoute? Find(ushort udpPort, IPAddress bound)
    {
        IPAddress? gateway = OperatingSystem.IsLinux() ? OfRouteTable() : OfInterfaces();
        if (gateway is null || AddressTowards(gateway) is not { } local || !(bound.Equals(IPAddress.Any) || bound.Equals(local)))
        {
            return null;
        }

        GatewayRoute route = new(Endpoint.From(new IPEndPoint(gateway, 0)), Endpoint.From(new IPEndPoint(local, udpPort)));
        return route.IsBehindGateway ? route : null;
    }

    /// <summary>Reads Linux's table: interface, destination, gateway, flags, …, metric, each address eight hex digits of the bytes as they lie in memory.</summary>
    internal static IPAddress? OfRouteTable(IEnumerable<string> lines)
    {
        IPAddress? best = null;
        int bestMetric = int.MaxValue;
        foreach (string line in lines)
        {
            string[] columns = line.Split('\t', StringSplitOptions.TrimEntries);
            if (columns.Length > 7 && columns[1] == "00000000" && columns[7] == "00000000"
                && uint.TryParse(columns[2], NumberStyles.HexNumber, CultureInfo.InvariantCulture, out uint gateway) && gateway != 0
                && int.TryParse(columns[6], NumberStyles.None, CultureInfo.InvariantCulture, out int metric) && metric < bestMetric)
            {
                (best, bestMetric) = (new IPAddress(BitConverter.GetBytes(gateway)), metric);
            }
        }

        return best;
    }

    private static IPAddress? OfRouteTable()
    {
        try
        {
            return OfRouteTable(File.ReadLines(RouteTable));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return OfInterfaces(); // a sandbox without /proc
        }
    }

    private static IPAddress? OfInterfaces() =>
        NetworkInterface.GetAllNetworkInterfaces()
            .Where(card => card.OperationalStatus == OperationalStatus.Up)
            .SelectMany(card => card.GetIPProperties().GatewayAddresses)
            .Select(gateway => gateway.Address)
            .FirstOrDefault(address => address.AddressFamily == AddressFamily.InterNetwork && !address.Equals(IPAddress.Any));

    // Connecting a UDP socket sends nothing: the kernel only chooses the source address.
    private static IPAddress? AddressTowards(IPAddress gateway)
    {
        try
        {
            using Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            socket.Connect(gateway, 9);
            return (socket.LocalEndPoint as IPEndPoint)?.Address;
        }
        catch (SocketException)
        {
            return null; // the route went away between
        }
    }
}
