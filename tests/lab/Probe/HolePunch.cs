using System.Diagnostics;
using System.Net;

namespace Carrier.Lab.Probe;

/// <summary>
/// The plainest hole punch: meet at a rendezvous, send to the address it names, adopt the address a packet comes from. It predicts no port,
/// so it tells what the NATs allow by themselves.
/// </summary>
internal static class HolePunch
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);

    /// <summary>Time from the peer's address being known until both ends heard each other; null when that did not happen in time.</summary>
    public static async Task<TimeSpan?> TryAsync(
        ProbeSocket socket, IPEndPoint rendezvous, string room, string member, TimeSpan deadline, CancellationToken cancellation)
    {
        IPEndPoint? peer = null;
        bool heard = false;
        long begun = Stopwatch.GetTimestamp();
        long met = 0;
        while (Stopwatch.GetElapsedTime(begun) < deadline)
        {
            await socket.SendAsync(peer is null ? $"join {room} {member}" : $"punch {(heard ? "heard" : "silence")}", peer ?? rendezvous, cancellation);
            long sent = Stopwatch.GetTimestamp();
            while (await socket.ReceiveAsync(Interval - Stopwatch.GetElapsedTime(sent), cancellation) is { } packet)
            {
                switch (packet.Text.Split(' '))
                {
                    case ["peer", var named] when !heard:
                        met = met == 0 ? Stopwatch.GetTimestamp() : met;
                        peer = IPEndPoint.Parse(named);
                        break;
                    case ["punch", var state]:
                        heard = true;
                        peer = packet.From;
                        if (state == "heard")
                        {
                            await socket.SendAsync("punch heard", peer, cancellation);
                            return Stopwatch.GetElapsedTime(met);
                        }

                        break;
                }
            }
        }

        return null;
    }
}
