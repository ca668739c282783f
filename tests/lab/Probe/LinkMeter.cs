using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Carrier.Lab.Probe;

/// <summary>What came through of what was sent at a steady rate.</summary>
internal sealed record Throughput(double SentMegabits, double ReceivedMegabits, int Sent, int Received, int OutOfOrder)
{
    public double LossFraction => Sent == 0 ? 0 : 1 - ((double)Received / Sent);
}

/// <summary>Measures the emulated link itself between two plain sockets.</summary>
internal static class LinkMeter
{
    private const int SocketLevel = 1;
    private const int ForceReceiveBuffer = 33; // SO_RCVBUFFORCE: root may exceed rmem_max
    private const int ReceiveBufferBytes = 16 << 20;
    private const int DatagramBytes = 1400;

    /// <summary>Round trips of single small packets to an echoing server, in milliseconds, sorted.</summary>
    public static async Task<double[]> RoundTripsAsync(ProbeSocket socket, IPEndPoint server, int count, CancellationToken cancellation)
    {
        var times = new List<double>(count);
        for (int i = 0; i < count; i++)
        {
            long sent = Stopwatch.GetTimestamp();
            await socket.SendAsync($"echo {i}", server, cancellation);
            if (await socket.ReceiveAsync(TimeSpan.FromSeconds(1), cancellation) is { } answer && answer.Text == $"echo {i}")
            {
                times.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
            }
        }

        times.Sort();
        return [.. times];
    }

    /// <summary>Sends numbered datagrams at <paramref name="megabitsPerSecond"/> for <paramref name="duration"/>. Both sockets are connected to each other.</summary>
    public static async Task<Throughput> FloodAsync(Socket sender, Socket receiver, double megabitsPerSecond, TimeSpan duration)
    {
        receiver.SetRawSocketOption(SocketLevel, ForceReceiveBuffer, BitConverter.GetBytes(ReceiveBufferBytes));
        receiver.ReceiveTimeout = 500;
        Task<(int Received, int OutOfOrder, TimeSpan Taken)> receiving = Task.Factory.StartNew(
            () => Receive(receiver), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        (int sent, TimeSpan sending) = await Task.Factory.StartNew(
            () => Send(sender, megabitsPerSecond, duration), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        (int received, int outOfOrder, TimeSpan taken) = await receiving;
        return new Throughput(Megabits(sent, sending), Megabits(received, taken), sent, received, outOfOrder);
    }

    private static (int Sent, TimeSpan Taken) Send(Socket sender, double megabitsPerSecond, TimeSpan duration)
    {
        byte[] datagram = new byte[DatagramBytes];
        double packetsPerSecond = megabitsPerSecond * 1e6 / (DatagramBytes * 8);
        long begun = Stopwatch.GetTimestamp();
        int sent = 0;
        while (Stopwatch.GetElapsedTime(begun) is var elapsed && elapsed < duration)
        {
            for (int due = (int)(elapsed.TotalSeconds * packetsPerSecond); sent < due; sent++)
            {
                BinaryPrimitives.WriteInt32BigEndian(datagram, sent);
                sender.Send(datagram);
            }

            Thread.Sleep(1);
        }

        return (sent, Stopwatch.GetElapsedTime(begun));
    }

    /// <summary>Receives until half a second of silence; the time is from the first datagram to the last.</summary>
    private static (int Received, int OutOfOrder, TimeSpan Taken) Receive(Socket receiver)
    {
        byte[] buffer = new byte[DatagramBytes];
        int received = 0;
        int outOfOrder = 0;
        int highest = -1;
        long first = 0;
        long last = 0;
        try
        {
            while (true)
            {
                receiver.Receive(buffer);
                last = Stopwatch.GetTimestamp();
                first = first == 0 ? last : first;
                int number = BinaryPrimitives.ReadInt32BigEndian(buffer);
                outOfOrder += number < highest ? 1 : 0;
                highest = Math.Max(highest, number);
                received++;
            }
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.TimedOut or SocketError.WouldBlock)
        {
            return (received, outOfOrder, Stopwatch.GetElapsedTime(first, last));
        }
    }

    private static double Megabits(int datagrams, TimeSpan time) => time > TimeSpan.Zero ? datagrams * DatagramBytes * 8 / time.TotalSeconds / 1e6 : 0;
}
