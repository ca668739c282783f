using Carrier.Core;
using Carrier.Net;

namespace Carrier.Tests.Net;

/// <summary>Sends back what it receives, and what the test gives it.</summary>
internal sealed class EchoMachine : IDatagramMachine
{
    public Queue<(Endpoint To, byte[] Datagram)> ToSend { get; } = [];

    public Action<Instant>? OnTimeout { get; set; }

    public int SegmentBytes { get; set; } = DatagramSocket.SlabBytes;

    public Instant NextDeadline { get; set; } = Instant.Never;

    public void Handle(Instant now, Endpoint remote, Span<byte> datagrams, int segmentBytes, EcnCodepoint ecn) => ToSend.Enqueue((remote, datagrams.ToArray()));

    public void HandleTimeout(Instant now) => OnTimeout?.Invoke(now);

    public bool TryTransmit(Instant now, Span<byte> buffer, out Transmit transmit)
    {
        if (!ToSend.TryDequeue(out (Endpoint To, byte[] Datagram) next))
        {
            transmit = default;
            return false;
        }

        next.Datagram.CopyTo(buffer);
        transmit = new Transmit(new NetworkPath(next.To), next.Datagram.Length, Math.Min(SegmentBytes, next.Datagram.Length));
        return true;
    }
}
