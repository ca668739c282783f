using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Carrier.Lab.Network;

namespace Carrier.Lab.Links;

/// <summary>The yardstick: one stream of the kernel's TCP with CUBIC, sending for a time over the emulated link.</summary>
internal static class TcpFlow
{
    private const int LevelTcp = 6;
    private const int TcpCongestion = 13;
    private const int ChunkBytes = 65_536;

    /// <summary>Sends for <paramref name="time"/>, as counted by the receiver from its first byte; returns what arrived.</summary>
    public static async Task<Goodput> RunAsync(LinkNetwork network, TimeSpan time, CancellationToken cancellation)
    {
        using Socket listener = NetworkNamespace.Run(network.Receiving, () =>
        {
            Socket socket = NewSocket();
            socket.Bind(new IPEndPoint(LinkNetwork.ReceivingAddress, 0));
            socket.Listen();
            return socket;
        });
        using Socket sender = NetworkNamespace.Run(network.Sending, NewSocket);
        Task<Socket> accepting = listener.AcceptAsync(cancellation).AsTask();
        await sender.ConnectAsync((IPEndPoint)listener.LocalEndPoint!, cancellation);
        using Socket receiver = await accepting;
        Task<Goodput> receiving = Task.Factory.StartNew(() => Receive(receiver, time), cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        Task sending = Task.Factory.StartNew(() => Send(sender), cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        Goodput goodput = await receiving;
        receiver.Close(0);
        sender.Close(0); // a reset: what is still queued would otherwise cross the link during the next measurement
        await sending;
        return goodput;
    }

    private static Socket NewSocket()
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.SetRawSocketOption(LevelTcp, TcpCongestion, "cubic"u8);
        return socket;
    }

    private static void Send(Socket socket)
    {
        byte[] chunk = new byte[ChunkBytes];
        try
        {
            while (true)
            {
                _ = socket.Send(chunk);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return; // closed: the time is over
        }
    }

    private static Goodput Receive(Socket socket, TimeSpan time)
    {
        byte[] buffer = new byte[ChunkBytes];
        long received = socket.Receive(buffer);
        long begun = Stopwatch.GetTimestamp();
        try
        {
            while (Stopwatch.GetElapsedTime(begun) is var elapsed && elapsed < time)
            {
                socket.ReceiveTimeout = 1 + (int)(time - elapsed).TotalMilliseconds;
                received += socket.Receive(buffer);
            }
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.TimedOut or SocketError.WouldBlock)
        {
            return new Goodput(received, time); // the sender waits for a retransmission timeout, and the time is over
        }

        return new Goodput(received, Stopwatch.GetElapsedTime(begun));
    }
}

/// <summary>What a receiving application got.</summary>
internal readonly record struct Goodput(long Bytes, TimeSpan Time)
{
    public double MegabitsPerSecond => Time > TimeSpan.Zero ? Bytes * 8 / Time.TotalSeconds / 1e6 : 0;
}
