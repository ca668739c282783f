using System.Diagnostics.Metrics;
using Carrier.Core;
using Carrier.Net;
using Carrier.Node;

namespace Carrier;

/// <summary>The meter <c>Carrier</c>: sums over the nodes of this process. Units are UCUM's; no tag names a peer or an address.</summary>
internal static class NodeMetrics
{
    private static readonly Meter Meter = new("Carrier");
    private static readonly Lock Lock = new();
    private static readonly HashSet<CarrierNode> Nodes = [];

    static NodeMetrics()
    {
        Sum("carrier.network.received", "By", "Bytes received by the sockets.", counters => counters.BytesReceived);
        Sum("carrier.network.sent", "By", "Bytes sent by the sockets.", counters => counters.BytesSent);
        Sum("carrier.network.packets_received", "{packet}", "Datagrams received.", counters => counters.DatagramsReceived);
        Sum("carrier.network.packets_sent", "{packet}", "Datagrams sent.", counters => counters.DatagramsSent);
        Sum("carrier.network.receive_calls", "{call}", "System calls that received.", counters => counters.ReceiveCalls);
        Sum("carrier.network.send_calls", "{call}", "System calls that sent.", counters => counters.SendCalls);
        Sum("carrier.network.errors", "{error}", "Sends and receives the kernel refused.", counters => counters.SendErrors + counters.ReceiveErrors);
        Sum("carrier.relay.bytes", "By", "Bytes relayed between devices.", report => report.RelayedBytes);
        Sum("carrier.relay.packets", "{packet}", "Packets relayed between devices.", report => report.RelayedPackets);
        Gauge("carrier.node.ready", "{node}", "Nodes that are part of the network.", report => report.IsReady ? 1 : 0);
        Gauge("carrier.sessions", "{session}", "Live sessions.", report => report.Sessions);
        Gauge("carrier.dials", "{dial}", "Dials under way.", report => report.Dials);
        Gauge("carrier.homes", "{node}", "Homes registered at.", report => report.Homes.Count);
        Gauge("carrier.home.registrations", "{device}", "Devices registered here.", report => report.Registrations);
        Gauge("carrier.relay.channels", "{channel}", "Pairs of devices relayed between.", report => report.RelayChannels);
        Gauge("carrier.dht.nodes", "{node}", "Entries of the routing table.", report => report.TableNodes);
        Gauge("carrier.dht.records", "{record}", "Records kept for others.", report => report.StoredRecords);
        Gauge("carrier.session.buffers", "By", "Memory out with sessions.", report => report.OutstandingSlabs * (long)Core.Session.Buffers.SlabPool.SlabBytes);
        _ = Meter.CreateObservableCounter("carrier.network.dropped", Drops, "{packet}", "Received and not used, by reason.");
    }

    public static void Add(CarrierNode node)
    {
        lock (Lock)
        {
            _ = Nodes.Add(node);
        }
    }

    public static void Remove(CarrierNode node)
    {
        lock (Lock)
        {
            _ = Nodes.Remove(node);
        }
    }

    private static void Sum(string name, string unit, string description, Func<SocketCounters, long> of) =>
        Meter.CreateObservableCounter(name, () => Total(node => of(node.Counters)), unit, description);

    private static void Sum(string name, string unit, string description, Func<NodeReport, long> of) =>
        Meter.CreateObservableCounter(name, () => Total(node => node.LatestReport is { } report ? of(report) : 0), unit, description);

    private static void Gauge(string name, string unit, string description, Func<NodeReport, long> of) =>
        Meter.CreateObservableUpDownCounter(name, () => Total(node => node.LatestReport is { } report ? of(report) : 0), unit, description);

    private static long Total(Func<CarrierNode, long> of)
    {
        lock (Lock)
        {
            return Nodes.Sum(of);
        }
    }

    private static IEnumerable<Measurement<long>> Drops() =>
        Enum.GetValues<DropReason>().Select(reason => new Measurement<long>(
            Total(node => node.Drops[reason]), new KeyValuePair<string, object?>("reason", reason.ToString())));
}
