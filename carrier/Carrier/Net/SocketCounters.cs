namespace Carrier.Net;

/// <summary>What the sockets of one node did. Written by the network thread alone; other threads may read, a little late.</summary>
internal sealed class SocketCounters
{
    public long ReceiveCalls { get; set; }

    public long DatagramsReceived { get; set; }

    public long BytesReceived { get; set; }

    public long SendCalls { get; set; }

    public long DatagramsSent { get; set; }

    public long BytesSent { get; set; }

    /// <summary>Errors the kernel reported on receive, such as a port unreachable that answers an earlier send.</summary>
    public long ReceiveErrors { get; set; }

    /// <summary>Batches, or the rest of one, that the kernel refused to send.</summary>
    public long SendErrors { get; set; }

    /// <summary>Datagrams dropped because they did not fit the receive buffer.</summary>
    public long Truncated { get; set; }

    /// <summary>Times a full socket buffer made the machine wait.</summary>
    public long SendsBlocked { get; set; }

    /// <summary>Times a socket went on by a slower <see cref="SocketKind"/>.</summary>
    public long Fallbacks { get; set; }
}
