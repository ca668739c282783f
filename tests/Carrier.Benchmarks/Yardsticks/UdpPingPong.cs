using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Carrier.Benchmarks.Measuring;

namespace Carrier.Benchmarks.Yardsticks;

/// <summary>What a C program would do: blocking sendto and recvfrom of 64 bytes, back and forth. Two wake-ups of the kernel and nothing else.</summary>
internal static unsafe partial class UdpPingPong
{
    private const int PingBytes = 64;
    private const int WarmUpPings = 500;
    private const int AddressBytes = 16;

    /// <summary>Prints <c>READY PORT</c> and answers until an empty datagram comes.</summary>
    public static void Serve()
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        Console.WriteLine($"READY {((IPEndPoint)socket.LocalEndPoint!).Port}");
        byte* buffer = stackalloc byte[PingBytes];
        byte* address = stackalloc byte[AddressBytes];
        while (true)
        {
            uint addressBytes = AddressBytes;
            nint received = RecvFrom(socket.SafeHandle, buffer, PingBytes, 0, address, &addressBytes);
            if (received <= 0)
            {
                return;
            }

            _ = SendTo(socket.SafeHandle, buffer, (nuint)received, 0, address, addressBytes);
        }
    }

    /// <summary>Measures against the port in the first argument and prints the figures.</summary>
    public static void Run(BenchOptions options)
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Connect(IPAddress.Loopback, int.Parse(options.Arguments[0], CultureInfo.InvariantCulture));
        byte* buffer = stackalloc byte[PingBytes];
        List<double> times = new(options.Pings);
        for (int i = -WarmUpPings; i < options.Pings; i++)
        {
            long start = Stopwatch.GetTimestamp();
            _ = SendTo(socket.SafeHandle, buffer, PingBytes, 0, null, 0);
            _ = RecvFrom(socket.SafeHandle, buffer, PingBytes, 0, null, null);
            if (i >= 0)
            {
                times.Add(Stopwatch.GetElapsedTime(start).TotalMicroseconds);
            }
        }

        _ = SendTo(socket.SafeHandle, buffer, 0, 0, null, 0);
        Console.WriteLine(Figures.Write(("rtt_p50_us", Samples.Percentile(times, 0.5)), ("rtt_p99_us", Samples.Percentile(times, 0.99))));
    }

    [LibraryImport("libc", EntryPoint = "sendto")]
    private static partial nint SendTo(SafeHandle socket, byte* data, nuint bytes, int flags, byte* address, uint addressBytes);

    [LibraryImport("libc", EntryPoint = "recvfrom")]
    private static partial nint RecvFrom(SafeHandle socket, byte* data, nuint bytes, int flags, byte* address, uint* addressBytes);
}
