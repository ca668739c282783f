using Carrier.Benchmarks.Measuring;
using Carrier.Core.Crypto;

namespace Carrier.Benchmarks.Yardsticks;

/// <summary>The least a packet cipher takes: full packets sealed, and opened again, in place and in the cache.</summary>
internal static class CipherFloor
{
    private const int PacketBytes = 1_452;
    private const int HeaderBytes = 13;

    /// <summary>Packets sealed before they are opened: enough to be timed, few enough to stay in the cache.</summary>
    private const int BatchPackets = 256;

    /// <summary>Prints its figures.</summary>
    public static void Run(BenchOptions options)
    {
        CipherSuite suite = options.Cipher is { } name ? Enum.Parse<CipherSuite>(name, ignoreCase: true) : CipherSuite.Aegis128L;
        byte[] secret = new byte[PacketCipher.SecretBytes];
        using var sealing = PacketCipher.Create(suite, secret);
        using var opening = PacketCipher.Create(suite, secret);
        byte[] batch = new byte[BatchPackets * PacketBytes];
        double sealSeconds = 0;
        double openSeconds = 0;
        long bytes = 0;
        for (ulong number = 0; bytes < options.Bytes; number += BatchPackets)
        {
            double start = CpuClock.Seconds;
            for (int i = 0; i < BatchPackets; i++)
            {
                Span<byte> packet = batch.AsSpan(i * PacketBytes, PacketBytes);
                Span<byte> body = packet[HeaderBytes..];
                sealing.Seal(number + (ulong)i, packet[..HeaderBytes], body[..^sealing.TagBytes], body);
            }

            double middle = CpuClock.Seconds;
            for (int i = 0; i < BatchPackets; i++)
            {
                Span<byte> packet = batch.AsSpan(i * PacketBytes, PacketBytes);
                if (!opening.TryOpen(number + (ulong)i, packet[..HeaderBytes], packet[HeaderBytes..]))
                {
                    throw new InvalidOperationException("What was sealed does not open.");
                }
            }

            sealSeconds += middle - start;
            openSeconds += CpuClock.Seconds - middle;
            bytes += batch.Length;
        }

        Console.WriteLine(Figures.Write(("cpu_tx_s_per_GB", sealSeconds / (bytes / 1e9)), ("cpu_rx_s_per_GB", openSeconds / (bytes / 1e9))));
    }
}
