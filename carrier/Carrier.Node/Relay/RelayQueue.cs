using System.Buffers.Binary;
using Carrier.Core;

namespace Carrier.Node.Relay;

/// <summary>What waits to leave the relay: one byte ring, its datagrams joined into batches of equal segments for one destination.</summary>
/// <remarks>
/// A batch is what one segmented send can carry: every segment as long as the first, the last perhaps shorter. Datagrams join only the
/// newest batch, so order a channel is kept. Bytes enter the ring once, behind a header rewritten for the other side.
/// </remarks>
internal sealed class RelayQueue
{
    /// <summary>Bytes that may wait; what does not fit is dropped, as by a router. At 64 MB/s this is 30 ms.</summary>
    public const int CapacityBytes = 2 * 1024 * 1024;

    /// <summary>Batches that may wait, for the case that nothing joins.</summary>
    public const int MaxBatches = 4096;

    /// <summary>Segments in one send: the least that kernels with UDP_SEGMENT accept.</summary>
    public const int MaxSegments = 64;

    /// <summary>Bytes in one send: the largest UDP payload over IPv4.</summary>
    public const int MaxBatchBytes = 65_507;

    private readonly byte[] _ring = GC.AllocateUninitializedArray<byte>(CapacityBytes);
    private readonly Batch[] _batches = new Batch[MaxBatches];
    private int _first;
    private int _count;
    private int _tail;

    public bool IsEmpty => _count == 0;

    /// <summary>Adds a train under the id its destination knows the channel by; false, with nothing added, when it does not fit or is longer than a batch.</summary>
    public bool TryAdd(Endpoint destination, ulong channel, RelayTrain train)
    {
        int bytes = train.Datagrams.Length;
        if (train.Count > MaxSegments || !TryReserve(destination, bytes, train.SegmentBytes, out int offset))
        {
            return false;
        }

        Span<byte> room = _ring.AsSpan(offset, bytes);
        train.Datagrams.CopyTo(room);
        for (int at = 0; at < bytes; at += train.SegmentBytes)
        {
            BinaryPrimitives.WriteUInt64BigEndian(room[(at + 1)..], channel);
        }

        return true;
    }

    /// <summary>Moves the oldest batch, or as many of its segments as fit, into <paramref name="buffer"/>.</summary>
    public bool TryTake(Span<byte> buffer, out Transmit transmit)
    {
        transmit = default;
        if (_count == 0)
        {
            return false;
        }

        ref Batch batch = ref _batches[_first];
        int bytes = batch.Bytes <= buffer.Length ? batch.Bytes : buffer.Length / batch.SegmentBytes * batch.SegmentBytes;
        if (bytes == 0)
        {
            return false;
        }

        _ring.AsSpan(batch.Offset, bytes).CopyTo(buffer);
        transmit = new(new(batch.Destination), bytes, Math.Min(batch.SegmentBytes, bytes));
        batch.Offset += bytes;
        batch.Bytes -= bytes;
        if (batch.Bytes == 0)
        {
            _first = (_first + 1) % MaxBatches;
            _count--;
        }

        return true;
    }

    private bool TryReserve(Endpoint destination, int bytes, int segmentBytes, out int offset)
    {
        if (_count == 0)
        {
            _tail = 0;
        }
        else if (TryJoin(ref _batches[(_first + _count - 1) % MaxBatches], destination, bytes, segmentBytes, out offset))
        {
            return true;
        }

        if (_count == MaxBatches || !TryPlace(bytes, out offset))
        {
            offset = 0;
            return false;
        }

        _tail = offset + bytes;
        _batches[(_first + _count) % MaxBatches] = new() { Destination = destination, Offset = offset, Bytes = bytes, SegmentBytes = segmentBytes };
        _count++;
        return true;
    }

    private bool TryJoin(ref Batch newest, Endpoint destination, int bytes, int segmentBytes, out int offset)
    {
        offset = _tail;
        bool joins = newest.Destination == destination
            && (segmentBytes == newest.SegmentBytes || bytes < newest.SegmentBytes)
            && newest.Bytes % newest.SegmentBytes == 0 // a shorter segment ends a batch
            && newest.Bytes + bytes <= Math.Min(MaxSegments * newest.SegmentBytes, MaxBatchBytes)
            && TryPlace(bytes, out int place) && place == _tail;
        if (joins)
        {
            newest.Bytes += bytes;
            _tail += bytes;
        }

        return joins;
    }

    // The used part runs from the oldest batch to the tail, perhaps around the end. It never quite fills the ring, so that a tail at the
    // oldest batch cannot mean both empty and full; a datagram never straddles the end.
    private bool TryPlace(int bytes, out int offset)
    {
        int head = _count == 0 ? 0 : _batches[_first].Offset;
        bool wrapped = _count > 0 && _tail <= head;
        if (bytes <= (wrapped ? head - 1 : CapacityBytes) - _tail)
        {
            offset = _tail;
            return true;
        }

        offset = 0;
        return !wrapped && bytes < head;
    }

    private struct Batch
    {
        public Endpoint Destination;
        public int Offset;
        public int Bytes;
        public int SegmentBytes;
    }
}
