using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Runtime.InteropServices;
using Carrier.Lab.Delay;
using Carrier.Lab.Network;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Translation;

/// <summary>
/// <c>carrier-lab translate NAME,NETNS,KIND,ADDRESS…</c>: every userspace NAT of a lab in one process, each on device <c>nat0</c> of its
/// router's namespace. A line <c>rebind NAME</c> on standard input has that NAT forget its mappings.
/// </summary>
internal static class TranslateCommand
{
    public const string Device = "nat0";

    /// <summary>Packets taken from one NAT before the next has its turn.</summary>
    private const int BatchPackets = 64;

    private const int RaisedPriority = -15;
    private const long LongestSleepNanoseconds = 100_000_000; // so that a request to stop or rebind is seen

    /// <summary>A word of the command line.</summary>
    public static string Describe(string netns, NatKind kind, IPAddress outer) => $"{netns},{kind},{outer}";

    public static int Run(Arguments arguments)
    {
        bool stopping = false;
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
        {
            context.Cancel = true;
            Volatile.Write(ref stopping, true);
        });
        Running[] nats = [.. arguments.Words.Select(Open)];
        var rebinds = new ConcurrentQueue<string>();
        new Thread(() => ReadCommands(rebinds)) { IsBackground = true }.Start();
        // A late packet would be measured as the program under test being slow. Without the right to it the NATs still work.
        _ = Libc.SetPriority(0, 0, RaisedPriority);
        Console.WriteLine("READY");
        Span<byte> buffer = stackalloc byte[DelayLine.MaxPacketBytes];
        while (!Volatile.Read(ref stopping))
        {
            while (rebinds.TryDequeue(out string? name))
            {
                nats.First(nat => nat.Netns == name).Translator.Rebind();
                Console.WriteLine($"rebound {name}");
            }

            bool any = false;
            foreach (Running nat in nats)
            {
                any |= Carry(nat, buffer);
            }

            if (!any)
            {
                TunDevice.WaitAny(nats.Select(nat => nat.Device), LongestSleepNanoseconds);
            }
        }

        Array.ForEach(nats, nat => nat.Device.Dispose());
        return Tally.ExitPassed;
    }

    private static bool Carry(Running nat, Span<byte> buffer)
    {
        int packets = 0;
        while (packets < BatchPackets && nat.Device.TryRead(buffer, out int bytes))
        {
            packets++;
            if (nat.Translator.TryTranslate(Stopwatch.GetTimestamp() / Stopwatch.Frequency, buffer[..bytes]))
            {
                _ = nat.Device.TryWrite(buffer[..bytes]);
            }
        }

        return packets == BatchPackets;
    }

    private static Running Open(string word)
    {
        string[] parts = word.Split(',');
        if (parts is not [var netns, var kind, var address])
        {
            throw new LabException($"translate takes NETNS,KIND,ADDRESS, not '{word}'");
        }

        uint outer = BinaryPrimitives.ReadUInt32BigEndian(IPAddress.Parse(address).GetAddressBytes());
        var translator = new Translator(TranslatorShape.Of(Enum.Parse<NatKind>(kind)), outer, new Random());
        return new Running(netns, NetworkNamespace.Run(netns, () => new TunDevice(Device)), translator);
    }

    private static void ReadCommands(ConcurrentQueue<string> rebinds)
    {
        while (Console.ReadLine() is { } line)
        {
            if (line.Split(' ') is ["rebind", var name])
            {
                rebinds.Enqueue(name);
            }
        }
    }

    private sealed record Running(string Netns, TunDevice Device, Translator Translator);
}
