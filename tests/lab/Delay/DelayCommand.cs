using System.Diagnostics;
using System.Runtime.InteropServices;
using Carrier.Lab.Network;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Delay;

/// <summary><c>carrier-lab delay</c>: the link emulator, one thread between a TUN device and a <see cref="DelayLine"/>.</summary>
internal static class DelayCommand
{
    /// <summary>Packets taken in before packets that are due are let out again.</summary>
    private const int BatchPackets = 64;

    private const int RaisedPriority = -15;

    public static int Run(Arguments arguments)
    {
        bool stopping = false;
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
        {
            context.Cancel = true;
            Volatile.Write(ref stopping, true);
        });
        using var device = new TunDevice(arguments.Text("--device") ?? "tun0");
        var line = new DelayLine(LinkShape.From(arguments), new Random());
        // Late packets would be measured as the program under test being slow. Without the right to it the line still works.
        _ = Libc.SetPriority(0, 0, RaisedPriority);
        Console.WriteLine("READY");
        Carry(device, line, ref stopping);
        Console.WriteLine($"carried {line.Carried} packets, lost {line.Lost}");
        return 0;
    }

    private static void Carry(TunDevice device, DelayLine line, ref bool stopping)
    {
        const long longestSleep = 100_000_000; // so that a request to stop is seen
        Span<byte> buffer = stackalloc byte[DelayLine.MaxPacketBytes];
        while (!Volatile.Read(ref stopping))
        {
            for (int i = 0; i < BatchPackets && device.TryRead(buffer, out int bytes); i++)
            {
                line.Enqueue(Now(), buffer[..bytes]);
            }

            while (line.TryDequeue(Now(), out ReadOnlySpan<byte> packet))
            {
                device.TryWrite(packet);
            }

            long due = line.NextDue;
            device.Wait(due < 0 ? longestSleep : Math.Clamp(due - Now(), 0, longestSleep));
        }
    }

    /// <summary>Monotonic nanoseconds: what a stopwatch tick is on Linux.</summary>
    private static long Now() => Stopwatch.GetTimestamp() * (1_000_000_000 / Stopwatch.Frequency);
}
