using System.Net.Sockets;
using Carrier.Core;

namespace Carrier.Net;

/// <summary>One way of moving batches of datagrams through a UDP socket of one address family. Never blocks, never throws for what the network does.</summary>
/// <remarks>Used by one thread. Several kinds may share one <see cref="Socket"/>, which <see cref="DatagramSockets"/> owns.</remarks>
internal abstract class DatagramSocket(Socket socket, SocketCounters counters)
{
    /// <summary>The size of buffer no received batch can overflow: the largest UDP datagram has 65,527 bytes.</summary>
    public const int SlabBytes = 65_536;

    /// <summary>Errors and unusable datagrams one receive skips before it lets the thread do other work.</summary>
    protected const int MaxSkippedPerReceive = 64;

    public Socket Socket => socket;

    public abstract SocketKind Kind { get; }

    protected SocketCounters Counters => counters;

    /// <summary>How the batch last received was marked; not ECN-capable where this kind cannot tell.</summary>
    public EcnCodepoint ReceivedEcn { get; protected set; }

    /// <summary>Whether datagrams taken from the kernel wait for the next <see cref="TryReceive"/>: no poll tells of them.</summary>
    public virtual bool HasTaken => false;

    /// <summary>Takes the next batch from one sender; false when nothing is waiting.</summary>
    /// <param name="slab">Where the datagrams go; one that does not fit is dropped and counted. <see cref="SlabBytes"/> fit all.</param>
    /// <param name="remote">Who sent them.</param>
    /// <param name="bytes">Bytes written. Zero for an empty datagram.</param>
    /// <param name="segmentBytes">The size of every datagram but the last, which may be shorter.</param>
    public abstract bool TryReceive(Span<byte> slab, out Endpoint remote, out int bytes, out int segmentBytes);

    /// <summary>Sends datagrams of <paramref name="segmentBytes"/> each, the last perhaps shorter; an empty span is one empty datagram.</summary>
    /// <param name="to">An endpoint of this socket's address family.</param>
    /// <param name="datagrams">The caller's again when the call returns.</param>
    /// <param name="segmentBytes">Positive unless <paramref name="datagrams"/> is empty.</param>
    /// <param name="sentBytes">Leading bytes the kernel took, whatever the result: whole segments.</param>
    /// <param name="ecn">How to mark them, where this kind can.</param>
    public abstract SendResult Send(Endpoint to, ReadOnlySpan<byte> datagrams, int segmentBytes, out int sentBytes, EcnCodepoint ecn = EcnCodepoint.NotCapable);
}
