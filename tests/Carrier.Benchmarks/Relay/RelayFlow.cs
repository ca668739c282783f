using System.Buffers.Binary;
using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Carrier.Core;
using Carrier.Core.Wire;
using Carrier.Net;

namespace Carrier.Benchmarks.Relay;

/// <summary>One sender and one sink with a forwarder between them: trains of equal datagrams as a session hands them to its relayed path.</summary>
/// <remarks>The sink's bytes are counted, not copied (MSG_TRUNC), so that the forwarder is what saturates. Borrows its sockets.</remarks>
internal sealed unsafe class RelayFlow
{
    /// <summary>A relayed packet of a session on an Ethernet path, relay header included.</summary>
    public const int DatagramBytes = 1_452;

    private const int SinkMessages = 32;

    /// <summary>After so long without a datagram what is outstanding counts as lost.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromMilliseconds(20);

    private readonly DatagramSocket _sender;
    private readonly Socket _sink;
    private readonly Endpoint _forwarder;
    private readonly byte[] _train;
    private readonly Libc.MMsgHdr[] _messages = GC.AllocateArray<Libc.MMsgHdr>(SinkMessages, pinned: true);
    private long _heardAt;

    /// <param name="forwarder">Where the sender sends.</param>
    /// <param name="channel">What follows each datagram's first byte: where the forwarder is to send it.</param>
    /// <param name="datagramsATrain">Datagrams a send.</param>
    /// <param name="noGso">Whether they leave as so many passes through the network stack.</param>
    public RelayFlow(Socket sender, Socket sink, Endpoint forwarder, ulong channel, int datagramsATrain, bool noGso)
    {
        (_sink, _forwarder) = (sink, forwarder);
        _sender = DatagramSockets.Create(noGso ? SocketKind.Mmsg : SocketKind.Gso, sender, new SocketCounters());
        if (!noGso)
        {
            _ = GsoSocket.TryEnable(sink);
        }

        _train = new byte[datagramsATrain * DatagramBytes];
        for (int offset = 0; offset < _train.Length; offset += DatagramBytes)
        {
            _train[offset] = (byte)PacketKind.RelayData;
            BinaryPrimitives.WriteUInt64BigEndian(_train.AsSpan(offset + 1), channel);
            _train[offset + NetworkPath.RelayHeaderBytes] = (byte)PacketKind.SessionPhase0;
        }
    }

    public long SentBytes { get; private set; }

    public long ReceivedBytes { get; private set; }

    /// <summary>Sent, and neither received nor given up for lost.</summary>
    public long OutstandingBytes { get; private set; }

    /// <summary>Sends a train unless more than the window would then be outstanding.</summary>
    public void SendWithin(long windowBytes)
    {
        if (OutstandingBytes > 0 && Stopwatch.GetElapsedTime(_heardAt) > Silence)
        {
            OutstandingBytes = 0;
        }

        if (OutstandingBytes == 0 || OutstandingBytes + _train.Length <= windowBytes)
        {
            Send();
        }
    }

    /// <summary>Sends a train.</summary>
    public void Send()
    {
        _ = _sender.Send(_forwarder, _train, DatagramBytes, out int bytes);
        _heardAt = OutstandingBytes == 0 ? Stopwatch.GetTimestamp() : _heardAt;
        SentBytes += bytes;
        OutstandingBytes += bytes;
    }

    /// <summary>Counts what has come to the sink.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Receive()
    {
        _messages.AsSpan().Clear();
        int count = Libc.RecvMMsg(
            _sink.SafeHandle, (Libc.MMsgHdr*)Unsafe.AsPointer(ref _messages[0]), SinkMessages, Libc.MsgDontWait | Libc.MsgTrunc, null);
        for (int i = 0; i < count; i++)
        {
            ReceivedBytes += _messages[i].Bytes;
            OutstandingBytes = Math.Max(0, OutstandingBytes - _messages[i].Bytes);
        }

        if (count > 0)
        {
            _heardAt = Stopwatch.GetTimestamp();
        }
    }
}
