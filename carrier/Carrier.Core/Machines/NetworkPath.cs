using System.Buffers.Binary;
using Carrier.Core.Wire;

namespace Carrier.Core;

/// <summary>One way to a peer: straight to an endpoint, or through a relay channel at that endpoint.</summary>
/// <param name="Remote">Where datagrams go and come from: the peer, or the relay.</param>
/// <param name="RelayChannel">The channel id the relay gave us, zero on a direct path.</param>
/// <param name="Socket">The local socket they leave from and come to: zero is the node's own, others are opened by the first datagram sent
/// from them, to have more mappings in a NAT, and closed when the node says so.</param>
/// <remarks>
/// On a relayed path every datagram opens with the nine bytes of a relay header, written by <see cref="WriteHeader"/>; a machine that
/// fills a batch leaves <see cref="HeaderBytes"/> before each segment and need not otherwise know that a relay is there.
/// </remarks>
public readonly record struct NetworkPath(Endpoint Remote, ulong RelayChannel = 0, ushort Socket = 0)
{
    public const int RelayHeaderBytes = 1 + sizeof(ulong);

    public bool IsRelayed => RelayChannel != 0;

    public int HeaderBytes => IsRelayed ? RelayHeaderBytes : 0;

    public void WriteHeader(Span<byte> destination)
    {
        if (IsRelayed)
        {
            destination[0] = (byte)PacketKind.RelayData;
            BinaryPrimitives.WriteUInt64BigEndian(destination[1..], RelayChannel);
        }
    }

    public override string ToString() => IsRelayed ? $"relay {Remote}" : Remote.ToString();
}
