using System.Net;
using System.Net.Sockets;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Probe;

/// <summary>The probe as commands, for a look by hand inside a kept lab (<c>carrier-lab exec SITE -- carrier-lab probe …</c>).</summary>
internal static class ProbeCommands
{
    /// <summary><c>probe-server --address A --other-address B [--port P]</c></summary>
    public static async Task<int> ServeAsync(Arguments arguments, CancellationToken cancellation)
    {
        ProbeServerPlace place = Place(arguments, IPAddress.Parse(arguments.Require("--address")));
        var sockets = new Socket[2, 2];
        for (int i = 0; i < sockets.Length; i++)
        {
            Socket socket = sockets[i / 2, i % 2] = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            socket.Bind(place.At(i / 2, i % 2));
        }

        await using var server = new ProbeServer(sockets);
        Console.WriteLine("READY");
        await Task.Delay(Timeout.Infinite, cancellation).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        return Tally.ExitPassed;
    }

    /// <summary><c>probe --server A --other-address B [--port P]</c>, or with <c>--room R --member M</c> a hole punch with whoever joins the room.</summary>
    public static async Task<int> ProbeAsync(Arguments arguments, CancellationToken cancellation)
    {
        ProbeServerPlace place = Place(arguments, IPAddress.Parse(arguments.Require("--server")));
        IPAddress local = LocalAddressTowards(place.Address);
        var inner = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        inner.Bind(new IPEndPoint(local, 0));
        using var socket = new ProbeSocket(inner);
        if (arguments.Text("--room") is { } room)
        {
            var deadline = TimeSpan.FromMilliseconds(arguments.Number("--timeout-ms", 5000));
            TimeSpan? time = await HolePunch.TryAsync(socket, place.At(0, 0), room, arguments.Require("--member"), deadline, cancellation);
            Console.WriteLine(time is { } t ? $"opened in {t.TotalMilliseconds:F0} ms" : "stayed shut");
            return time is null ? Tally.ExitFailed : Tally.ExitPassed;
        }

        var second = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        second.Bind(new IPEndPoint(local, 0));
        using var other = new ProbeSocket(second);
        Console.WriteLine(await NatFinding.FindAsync(socket, other, local, place, place, cancellation));
        return Tally.ExitPassed;
    }

    private static ProbeServerPlace Place(Arguments arguments, IPAddress address) => new(
        address,
        IPAddress.Parse(arguments.Text("--other-address") ?? throw new LabException("--other-address: filtering is tested from a second address of the server")),
        arguments.Count("--port", ProbeServerPlace.DefaultPort));

    /// <summary>The address the kernel would send from; connecting a UDP socket sends nothing.</summary>
    private static IPAddress LocalAddressTowards(IPAddress target)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Connect(target, ProbeServerPlace.DefaultPort);
        return ((IPEndPoint)socket.LocalEndPoint!).Address;
    }
}
