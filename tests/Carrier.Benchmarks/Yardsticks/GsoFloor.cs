using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Carrier.Benchmarks.Measuring;
using Carrier.Core;
using Carrier.Net;

namespace Carrier.Benchmarks.Yardsticks;

/// <summary>The least the kernel takes for segmented UDP: our own sockets moving bytes nobody encrypts, acknowledges or waits for.</summary>
internal static class GsoFloor
{
    private const int SegmentBytes = 1_452;
    private const int BatchBytes = 44 * SegmentBytes;

    /// <summary>Prints <c>READY PORT</c>, swallows until an empty datagram comes, and prints its figures.</summary>
    public static void Serve(BenchOptions options)
    {
        using DatagramSockets sockets = Bind(options);
        using SocketWaiter waiter = SocketWaiter.For(sockets);
        Console.WriteLine($"READY {sockets.LocalEndpoint(AddressFamily.InterNetwork).Port}");
        byte[] slab = new byte[DatagramSocket.SlabBytes];
        _ = waiter.Wait(Timeout.InfiniteTimeSpan, SocketWaiter.NoWriter);
        double cpu = CpuClock.Seconds;
        int bytes = -1;
        while (bytes != 0)
        {
            if (!sockets.TryReceive(0, slab, out _, out bytes, out _))
            {
                bytes = -1;
                _ = waiter.Wait(Timeout.InfiniteTimeSpan, SocketWaiter.NoWriter);
            }
        }

        double gigabytes = sockets.Counters.BytesReceived / 1e9;
        Console.WriteLine(Figures.Write(
            ("cpu_rx_s_per_GB", Samples.Ratio(CpuClock.Seconds - cpu, gigabytes)),
            ("received_GB", gigabytes)));
    }

    /// <summary>Sends to the port in the first argument as fast as the kernel takes it, and prints its figures.</summary>
    public static void Run(BenchOptions options)
    {
        using DatagramSockets sockets = Bind(options);
        using SocketWaiter waiter = SocketWaiter.For(sockets);
        Endpoint to = Endpoint.FromIPv4(0x7F00_0001, ushort.Parse(options.Arguments[0], CultureInfo.InvariantCulture));
        byte[] batch = new byte[BatchBytes];
        double cpu = CpuClock.Seconds;
        long start = Stopwatch.GetTimestamp();
        while (sockets.Counters.BytesSent < options.Bytes)
        {
            SendResult result = sockets.Send(to, batch, SegmentBytes, out _);
            if (result == SendResult.WouldBlock)
            {
                _ = waiter.Wait(Timeout.InfiniteTimeSpan, writer: 0);
            }
            else if (result == SendResult.Failed)
            {
                throw new IOException("The kernel refuses to send over loopback.");
            }
        }

        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        double cpuSeconds = CpuClock.Seconds - cpu;
        SendFarewell(sockets, to);
        long bytes = sockets.Counters.BytesSent;
        Console.WriteLine(Figures.Write(
            ("MBps", bytes / 1e6 / seconds),
            ("cpu_tx_s_per_GB", cpuSeconds / (bytes / 1e9)),
            ("fallbacks", sockets.Counters.Fallbacks)));
    }

    private static DatagramSockets Bind(BenchOptions options) =>
        DatagramSockets.Bind(UdpBinding.Loopback with { IPv6 = null, ForcedKind = options.NoGso ? SocketKind.Mmsg : null });

    /// <summary>Says the end often enough for one to find room in a full receive buffer.</summary>
    private static void SendFarewell(DatagramSockets sockets, Endpoint to)
    {
        for (int i = 0; i < 20; i++)
        {
            _ = sockets.Send(to, [], 0, out _);
            Thread.Sleep(5);
        }
    }
}
