using System.Diagnostics;
using System.Globalization;
using Carrier.Benchmarks.Measuring;
using Carrier.Chain.Headers;
using Carrier.Chain.Networks;
using Carrier.Chain.Storage;
using Carrier.Core;

namespace Carrier.Benchmarks.Chain;

/// <summary>How fast headers with merged-mining proofs of depth 0 to 4 are judged and saved on one core, and in how much memory.</summary>
internal static class HeadersCommand
{
    private const int Headers = 100_000;
    private const int Batch = 1_000;

    /// <summary>Makes a batch, then times judging and saving it, until there are <see cref="Headers"/>; making is not counted.</summary>
    public static void Run(BenchOptions options)
    {
        int headers = options.Arguments.Count > 0 ? int.Parse(options.Arguments[0], CultureInfo.InvariantCulture) : Headers;
        ChainNetwork network = ChainNetwork.Private("bench", default);
        HeaderAnchor anchor = HeaderAnchor.AtGenesis(network.Genesis);
        DirectoryInfo folder = Directory.CreateTempSubdirectory("carrier-bench-");
        try
        {
            using HeaderStore store = HeaderStore.Open(Path.Combine(folder.FullName, "headers.db"), network, anchor);
            HeaderChain chain = store.Load();
            (byte[] Core, byte[] Proof)[] batch = new (byte[], byte[])[Batch];
            TimeSpan judged = TimeSpan.Zero;
            TimeSpan saved = TimeSpan.Zero;
            long allocated = 0;
            while (chain.Tip.Header.Height < headers)
            {
                Make(chain.Tip.Header, batch);
                long bytes = GC.GetAllocatedBytesForCurrentThread();
                long start = Stopwatch.GetTimestamp();
                foreach ((byte[] core, byte[] proof) in batch)
                {
                    if (chain.Add(core, proof, new UnixTime(4_000_000_000)).Step != HeaderStep.Extended)
                    {
                        throw new InvalidOperationException("A sound header was refused.");
                    }
                }

                judged += Stopwatch.GetElapsedTime(start);
                allocated += GC.GetAllocatedBytesForCurrentThread() - bytes;
                start = Stopwatch.GetTimestamp();
                store.Save(chain);
                saved += Stopwatch.GetElapsedTime(start);
            }

            using Process self = Process.GetCurrentProcess();
            Console.WriteLine(Figures.Write(
                ("headers", headers),
                ("judged_per_s", headers / judged.TotalSeconds),
                ("judged_and_saved_per_s", headers / (judged + saved).TotalSeconds),
                ("allocated_bytes_per_header", (double)allocated / headers),
                ("peak_working_set_MiB", self.PeakWorkingSet64 / 1048576.0)));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static void Make(BlockHeader previous, (byte[] Core, byte[] Proof)[] batch)
    {
        for (int i = 0; i < batch.Length; i++)
        {
            var header = new BlockHeader(0, previous.Hash, default, previous.Timestamp + 120, ChainNetwork.InstantBits, 0, previous.Height + 1);
            byte[] core = new byte[BlockHeader.Bytes];
            header.CopyTo(core);
            batch[i] = (core, AuxPowBuilder.Build(header.Hash, header.Bits, header.Timestamp, auxDepth: i % 5, coinBaseDepth: i % 3));
            previous = header;
        }
    }
}
