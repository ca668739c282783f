namespace Carrier.Net;

/// <summary>How datagrams cross into the kernel, fastest first. A socket falls back to the next kind when the kernel refuses one.</summary>
public enum SocketKind
{
    /// <summary>Linux: one call moves up to 64 KB, segmented and coalesced by the kernel (UDP_SEGMENT, UDP_GRO).</summary>
    Gso,

    /// <summary>Linux: one call moves many datagrams (sendmmsg, recvmmsg).</summary>
    Mmsg,

    /// <summary>Anywhere: one call a datagram.</summary>
    Plain,
}

/// <summary>What became of a send.</summary>
internal enum SendResult
{
    /// <summary>The kernel took everything.</summary>
    Sent,

    /// <summary>The socket buffer is full. What was not yet taken should be sent again once the socket is writable.</summary>
    WouldBlock,

    /// <summary>The kernel refused the rest: unreachable, filtered, too large. Counted; to the machine it is loss.</summary>
    Failed,

    /// <summary>The kernel does not do this <see cref="SocketKind"/>. The rest should go by the next kind. Never leaves <see cref="DatagramSockets"/>.</summary>
    Unsupported,
}
