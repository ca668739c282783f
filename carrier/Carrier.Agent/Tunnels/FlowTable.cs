using System.Collections.Concurrent;
using Carrier.Agent.Network;
using Carrier.Core.Wire;

namespace Carrier.Agent.Tunnels;

/// <summary>The UDP flows of one session by their number, at most <see cref="TunnelLimits.MaxFlows"/>, and the loop that deals datagrams out to them.</summary>
internal sealed class FlowTable
{
    private readonly ConcurrentDictionary<ulong, DatagramFlow> _flows = new();
    private int _count;

    /// <summary>False when the number is in use, or there are too many.</summary>
    public bool TryAdd(ulong id, DatagramFlow flow)
    {
        if (Interlocked.Increment(ref _count) <= TunnelLimits.MaxFlows && _flows.TryAdd(id, flow))
        {
            return true;
        }

        Interlocked.Decrement(ref _count);
        return false;
    }

    public void Remove(ulong id)
    {
        if (_flows.TryRemove(id, out _))
        {
            Interlocked.Decrement(ref _count);
        }
    }

    /// <summary>Deals out until the session ends. A datagram of no flow known here is dropped: its flow has ended, or it overtook its request.</summary>
    public async Task DealAsync(IPeerSession session, CancellationToken cancellationToken)
    {
        byte[] datagram = new byte[TunnelLimits.MaxDatagramBytes];
        try
        {
            while (await session.ReceiveDatagramAsync(datagram, cancellationToken).ConfigureAwait(false) is var bytes and >= 0)
            {
                if (Find(datagram.AsSpan(0, bytes), out int prefix) is { } flow)
                {
                    await flow.TakeAsync(datagram.AsMemory(prefix, bytes - prefix), cancellationToken).ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Whoever runs the session ends it.
        }
    }

    /// <summary>Reads the number in front of a datagram; false where there is none a flow may have.</summary>
    public static bool TryReadId(ReadOnlySpan<byte> datagram, out ulong id, out int prefixBytes)
    {
        ReadOnlySpan<byte> rest = datagram;
        bool read = Varint.TryRead(ref rest, out id) && id <= TunnelLimits.MaxFlowId;
        prefixBytes = datagram.Length - rest.Length;
        return read;
    }

    private DatagramFlow? Find(ReadOnlySpan<byte> datagram, out int prefixBytes) =>
        TryReadId(datagram, out ulong id, out prefixBytes) && _flows.TryGetValue(id, out DatagramFlow? flow) ? flow : null;
}
