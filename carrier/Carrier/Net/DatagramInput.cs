using System.Runtime.CompilerServices;
using Carrier.Core;

namespace Carrier.Net;

/// <summary>The receiving half of a turn: what sockets have goes to the machine.</summary>
internal sealed class DatagramInput(IDatagramMachine machine, DatagramSockets sockets, ProbeSockets probes, SocketWaiter waiter)
{
    /// <summary>Batches received before the other direction gets its turn: at most 1 MB.</summary>
    public const int MaxBatchesPerTurn = 16;

    /// <summary>Nor does receiving keep the other direction waiting for longer: a handshake is long work, and its answer has the peer go on beside us.</summary>
    private static readonly TimeSpan MaxPerTurn = TimeSpan.FromMicroseconds(400);

    /// <summary>After so many turns that brought one datagram each, the next is expected to.</summary>
    private const int LoneTurnsToBelieve = 4;

    /// <summary>And as often as this it is looked whether that still holds.</summary>
    private const int LoneTurnsToDoubt = 16;

    private readonly byte[] _received = GC.AllocateUninitializedArray<byte>(DatagramSocket.SlabBytes, pinned: true);
    private int _loneTurns;
    private bool _wasLone;
    private Instant _endsAt;
    private bool _isOutOfTime;

    /// <summary>Hands received batches to the machine; false when more may be waiting.</summary>
    /// <param name="hasWaited">Whether this follows a wait, which told what sockets have something. One that has more than was taken ends the next wait at once.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool Receive(bool hasWaited)
    {
        bool isDrained = true;
        bool takesOne = hasWaited && _loneTurns >= LoneTurnsToBelieve && _loneTurns % LoneTurnsToDoubt != 0;
        int total = 0;
        (_wasLone, _isOutOfTime, _endsAt) = (true, false, Instant.Never);
        for (int index = 0; index < sockets.Count; index++)
        {
            if (!hasWaited || waiter.IsReadable(index))
            {
                int batches = ReceiveFrom(index, takesOne);
                isDrained &= batches < MaxBatchesPerTurn;
                total += batches;
            }
        }

        if (hasWaited && total > 0)
        {
            _loneTurns = total == 1 && _wasLone ? _loneTurns + 1 : 0;
        }

        return ReceiveProbes() && isDrained && !_isOutOfTime;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int ReceiveFrom(int index, bool takesOne)
    {
        int batches = 0;
        while (batches < MaxBatchesPerTurn && sockets.TryReceive(index, _received, out Endpoint remote, out int bytes, out int segmentBytes))
        {
            Instant now = MonotonicClock.Now;
            _endsAt = Instant.Min(_endsAt, now + MaxPerTurn);
            machine.Handle(now, remote, _received.AsSpan(0, bytes), segmentBytes, sockets.ReceivedEcn(index));
            _wasLone &= bytes <= segmentBytes;
            batches++;
            _isOutOfTime = now >= _endsAt;
            if (_isOutOfTime || (takesOne && !sockets.HasTaken(index)))
            {
                break;
            }
        }

        return batches;
    }

    private bool ReceiveProbes()
    {
        int batches = 0;
        if (probes.Look())
        {
            while (batches < MaxBatchesPerTurn && probes.TryReceive(_received, out ushort socket, out Endpoint remote, out int bytes, out int segmentBytes))
            {
                machine.HandleAt(MonotonicClock.Now, socket, remote, _received.AsSpan(0, bytes), segmentBytes);
                batches++;
            }
        }

        return batches < MaxBatchesPerTurn;
    }
}
