using SharpFuzz;

namespace Carrier.Fuzz;

/// <summary>Copies of our assemblies that count the edges they take, in a folder of their own: the built ones stay as they are shipped.</summary>
internal static class Instrumentation
{
    private static readonly string[] Instrumented = ["Carrier.Core.dll", "Carrier.Dht.dll", "Carrier.Nat.dll", "Carrier.Node.dll", "Carrier.Chain.dll", "Carrier.Devnet.dll", "Carrier.Agent.dll"];

    /// <summary>Makes the copy of this program whose Carrier assemblies are instrumented; returns its path.</summary>
    public static string Prepare()
    {
        string folder = Path.Combine(Corpus.Artifacts, "instrumented");
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }

        foreach (string source in Directory.EnumerateFiles(AppContext.BaseDirectory, "*", SearchOption.AllDirectories))
        {
            string copy = Path.Combine(folder, Path.GetRelativePath(AppContext.BaseDirectory, source));
            _ = Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(source, copy);
        }

        foreach (string assembly in Instrumented)
        {
            _ = Fuzzer.Instrument(Path.Combine(folder, assembly), static _ => true, Options.Value).Count();
        }

        return Path.Combine(folder, "carrier-fuzz.dll");
    }
}
