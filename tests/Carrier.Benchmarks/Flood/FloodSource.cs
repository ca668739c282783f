using System.Net;
using System.Net.Sockets;
using Carrier.Core;
using Carrier.Simulation;

namespace Carrier.Benchmarks.Flood;

/// <summary>One hostile address: sends mutants and replays as fast as the kernel takes them, and counts what comes back.</summary>
internal sealed class FloodSource : IDisposable
{
    /// <summary>One datagram in so many is a replay, bit by bit.</summary>
    private const int ReplayEvery = 8;

    private const int BurstDatagrams = 256;
    private const int ReceiveBufferBytes = 4 << 20;

    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveBufferSize = ReceiveBufferBytes };
    private readonly SocketAddress _target;
    private readonly IReadOnlyList<byte[]> _models;
    private readonly SeededRandom _random;
    private readonly byte[] _buffer = new byte[65_536];

    public FloodSource(Endpoint target, IReadOnlyList<byte[]> models, SeededRandom random)
    {
        (_target, _models, _random) = (target.ToIPEndPoint().Serialize(), models, random);
        _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
    }

    public long SentDatagrams { get; private set; }

    public long SentBytes { get; private set; }

    public long ReplayedDatagrams { get; private set; }

    public long AnsweredBytes { get; private set; }

    /// <summary>Bytes of STUN answers, which may be longer than their requests and are held by a rate instead.</summary>
    public long StunBytes { get; private set; }

    /// <summary>Sends one burst and takes in what has come back.</summary>
    public void Burst()
    {
        for (int i = 0; i < BurstDatagrams; i++)
        {
            byte[] model = _models[_random.NextInt32(_models.Count)];
            bool isReplay = i % ReplayEvery == 0;
            Send(isReplay ? model : _buffer.AsSpan(0, Mutation.Mutate(model, _buffer, _random)));
            ReplayedDatagrams += isReplay ? 1 : 0;
        }

        Collect();
    }

    public void Send(ReadOnlySpan<byte> datagram)
    {
        _ = _socket.SendTo(datagram, SocketFlags.None, _target);
        SentDatagrams++;
        SentBytes += datagram.Length;
    }

    /// <summary>Counts what has come back.</summary>
    public void Collect()
    {
        while (_socket.Available > 0)
        {
            int bytes = _socket.Receive(_buffer);
            bool isStun = bytes > 0 && _buffer[0] <= 0x03;
            StunBytes += isStun ? bytes : 0;
            AnsweredBytes += isStun ? 0 : bytes;
        }
    }

    public void Dispose() => _socket.Dispose();
}
