using System.Buffers.Binary;
using Carrier.Core;
using Carrier.Core.Wire;

namespace Carrier.Node.Relay;

/// <summary>Relay data of one channel that came in one batch: datagrams of one length, the last perhaps shorter. Looked up, paid and queued as one.</summary>
/// <remarks>
/// <code>
/// 0x42 (8) | channel id (64) | inner datagram
/// </code>
/// </remarks>
internal readonly ref struct RelayTrain(ReadOnlySpan<byte> datagrams, int segmentBytes)
{
    public ReadOnlySpan<byte> Datagrams { get; } = datagrams;

    /// <summary>Bytes of every datagram but the last.</summary>
    public int SegmentBytes { get; } = Math.Min(segmentBytes, datagrams.Length);

    public int Count => (Datagrams.Length + SegmentBytes - 1) / SegmentBytes;

    public ulong Channel => BinaryPrimitives.ReadUInt64BigEndian(Datagrams[1..]);

    /// <summary>Whether its datagrams can be relayed. Relays are not chained: that would be free amplification of work.</summary>
    public bool IsSound => SegmentBytes <= RelayMachine.MaxDatagramBytes && IsRelayable(Datagrams[..SegmentBytes]);

    public RelayTrain this[int index] =>
        new(Datagrams.Slice(index * SegmentBytes, Math.Min(SegmentBytes, Datagrams.Length - (index * SegmentBytes))), SegmentBytes);

    /// <summary>The longest train a batch begins with: one datagram at least, which is alone when it is not sound.</summary>
    /// <param name="batch">Not empty.</param>
    /// <param name="segmentBytes">Bytes of every datagram but the batch's last.</param>
    public static RelayTrain FirstOf(ReadOnlySpan<byte> batch, int segmentBytes)
    {
        int end = Math.Min(segmentBytes, batch.Length);
        ReadOnlySpan<byte> first = batch[..end];
        if (IsRelayable(first))
        {
            ReadOnlySpan<byte> header = first[..NetworkPath.RelayHeaderBytes];
            while (end < batch.Length && IsRelayable(batch[end..]) && batch.Slice(end, header.Length).SequenceEqual(header))
            {
                end = Math.Min(end + segmentBytes, batch.Length);
            }
        }

        return new RelayTrain(batch[..end], segmentBytes);
    }

    private static bool IsRelayable(ReadOnlySpan<byte> datagram) =>
        datagram.Length > NetworkPath.RelayHeaderBytes
        && datagram[0] == (byte)PacketKind.RelayData
        && datagram[NetworkPath.RelayHeaderBytes] != (byte)PacketKind.RelayData;
}
