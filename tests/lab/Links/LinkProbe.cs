using System.Diagnostics;
using System.Net.Sockets;

namespace Carrier.Lab.Links;

/// <summary>A single packet there and back, again and again.</summary>
internal static class LinkProbe
{
    private const int Probes = 20;

    /// <summary>The shortest round trip between two sockets that are connected to each other: what the link adds, without the machine's own delays.</summary>
    public static double RoundTripMilliseconds(Socket near, Socket far)
    {
        byte[] packet = new byte[100];
        near.ReceiveTimeout = far.ReceiveTimeout = 1_000;
        double[] times = new double[Probes];
        for (int i = 0; i < Probes; i++)
        {
            long sent = Stopwatch.GetTimestamp();
            near.Send(packet);
            far.Receive(packet);
            far.Send(packet);
            near.Receive(packet);
            times[i] = Stopwatch.GetElapsedTime(sent).TotalMilliseconds;
        }

        return times.Min();
    }
}
