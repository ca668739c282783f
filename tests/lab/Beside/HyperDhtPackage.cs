using Carrier.Lab.Tools;

namespace Carrier.Lab.Beside;

/// <summary>HyperDHT as npm has it, at the versions of <c>hyperdht/package-lock.json</c>, in a folder of its own under <c>artifacts</c>.</summary>
internal static class HyperDhtPackage
{
    private static readonly string[] Files = ["package.json", "package-lock.json", "peer.mjs"];
    private static readonly TimeSpan InstallDeadline = TimeSpan.FromMinutes(3);

    /// <summary>
    /// Installs what is not there yet, with the machine's own npm: the one use of a network other than the lab's, and only by this command.
    /// </summary>
    /// <returns>The script every process of HyperDHT's runs, or null and how to get what is missing.</returns>
    public static async Task<(string? Script, string Missing)> InstallAsync(CancellationToken cancellation)
    {
        if (!Tool.Exists("node") || !Tool.Exists("npm"))
        {
            return (null, "node 18 or later and npm, to run HyperDHT: apt-get install nodejs npm");
        }

        string source = Path.Combine(AppContext.BaseDirectory, "Beside", "hyperdht");
        string folder = Directory.CreateDirectory(Path.GetFullPath("artifacts/hyperdht")).FullName;
        bool isInstalled = Directory.Exists(Path.Combine(folder, "node_modules")) && IsSame("package-lock.json");
        foreach (string file in Files)
        {
            File.Copy(Path.Combine(source, file), Path.Combine(folder, file), overwrite: true);
        }

        if (!isInstalled)
        {
            Tally.Say($"npm installs HyperDHT into {folder}");
            ToolResult installed = await Tool.RunAsync(
                "npm", ["ci", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund"], deadline: InstallDeadline, cancellation: cancellation);
            if (!installed.Succeeded)
            {
                File.Delete(Path.Combine(folder, "package-lock.json")); // so that the next run tries again
                return (null, $"HyperDHT from npm: a registry that npm reaches ({installed.Error.Trim().Split('\n')[0]})");
            }
        }

        return (Path.Combine(folder, "peer.mjs"), "");

        bool IsSame(string file) =>
            Path.Combine(folder, file) is var there && File.Exists(there) && File.ReadAllText(there) == File.ReadAllText(Path.Combine(source, file));
    }
}
