using System.Runtime.CompilerServices;
using Carrier.Core;
using Carrier.Tunnels;

namespace Carrier.Net;

/// <summary>The sending half of a turn: what the machine has goes out by the socket or tunnel it belongs to.</summary>
internal sealed class DatagramOutput(IDatagramMachine machine, DatagramSockets sockets, ProbeSockets probes, TunnelTable tunnels)
{
    /// <summary>Batches sent before the other direction gets its turn: at most 1 MB.</summary>
    public const int MaxBatchesPerTurn = 16;

    private readonly byte[] _toSend = GC.AllocateUninitializedArray<byte>(DatagramSocket.SlabBytes, pinned: true);

    // What of _toSend the kernel had no room for. Nothing else is sent before it, in either address family.
    private Transmit _blocked;
    private int _blockedOffset;

    /// <summary>Whether the kernel had no room for what was to go out.</summary>
    public bool IsBlocked { get; private set; }

    /// <summary>The socket to wait on for room, or <see cref="SocketWaiter.NoWriter"/>.</summary>
    public int Writer => IsBlocked ? sockets.IndexOf(_blocked.Path.Remote.Family) : SocketWaiter.NoWriter;

    /// <summary>Sends until the machine has nothing more or the kernel no room; false when the turn's share ended first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool Transmit(Instant now)
    {
        for (int batches = 0; batches < MaxBatchesPerTurn; batches++)
        {
            if (!IsBlocked)
            {
                if (!machine.TryTransmit(now, _toSend, out _blocked))
                {
                    return true;
                }

                _blockedOffset = 0;
            }

            ReadOnlySpan<byte> rest = _toSend.AsSpan(_blockedOffset, _blocked.Bytes - _blockedOffset);
            if (tunnels.TrySend(_blocked.Path.Remote, rest, _blocked.SegmentBytes))
            {
                IsBlocked = false;
                continue;
            }

            SendResult result = ProbeSockets.IsFor(_blocked)
                ? probes.Send(_blocked, rest, out int sentBytes)
                : sockets.Send(_blocked.Path.Remote, rest, _blocked.SegmentBytes, out sentBytes, _blocked.Ecn);
            _blockedOffset += sentBytes;
            IsBlocked = result == SendResult.WouldBlock;
            if (IsBlocked)
            {
                return true;
            }
        }

        return false;
    }
}
