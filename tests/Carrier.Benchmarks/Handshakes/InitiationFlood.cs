using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Carrier.Core.Handshake;

namespace Carrier.Benchmarks.Handshakes;

/// <summary>Sends well-formed first messages of nobody to a device at a steady rate, from a thousand addresses that never follow up, until its input closes.</summary>
internal static class InitiationFlood
{
    private const int Sources = 1_000;

    /// <summary>As long as a true one: delegation, candidates and all.</summary>
    private const int NoiseBytes = 700;

    public static void Run(BenchOptions options)
    {
        var target = IPEndPoint.Parse(options.Arguments[0]);
        int perSecond = int.Parse(options.Arguments[1], CultureInfo.InvariantCulture);
        Socket[] sources = [.. Enumerable.Range(0, Sources).Select(i => Open(i, target))];
        byte[] noise = new byte[NoiseBytes];
        byte[] datagram = new byte[InitiationDatagram.MaxBytes];
        SystemRandomSource.Shared.Fill(noise);
        using CancellationTokenSource stop = new();
        _ = Task.Run(async () =>
        {
            _ = await Console.In.ReadToEndAsync();
            await stop.CancelAsync();
        });

        Console.WriteLine("READY -");
        long start = Stopwatch.GetTimestamp();
        for (long sent = 0; !stop.IsCancellationRequested;)
        {
            for (long due = (long)(Stopwatch.GetElapsedTime(start).TotalSeconds * perSecond); sent < due; sent++)
            {
                // Another ephemeral key and handshake each: none is the copy of one seen before.
                BinaryPrimitives.WriteInt64LittleEndian(noise, sent);
                _ = InitiationDatagram.TryWrite((ulong)sent, [], noise, isPadded: true, datagram, out int bytes);
                _ = sources[sent % Sources].Send(datagram.AsSpan(0, bytes));
            }

            Thread.Sleep(1);
        }
    }

    // Every one in a network of its own: 127.1.x.y is this machine as 127.0.0.1 is.
    private static Socket Open(int index, IPEndPoint target)
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveBufferSize = 0 };
        socket.Bind(new IPEndPoint(new IPAddress([127, (byte)(1 + (index >> 8)), (byte)index, 1]), 0));
        socket.Connect(target);
        return socket;
    }
}
