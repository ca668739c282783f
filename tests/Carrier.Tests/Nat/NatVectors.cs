namespace Carrier.Tests.Nat;

/// <summary>The golden bytes of Vectors/nat.txt.</summary>
internal static class NatVectors
{
    private static readonly Dictionary<string, byte[]> All = File
        .ReadLines(Path.Combine(AppContext.BaseDirectory, "Vectors", "nat.txt"))
        .Where(line => !line.StartsWith('#'))
        .Select(line => line.Split(' '))
        .ToDictionary(parts => parts[0], parts => Convert.FromHexString(parts[1]));

    public static byte[] Get(string name) => (byte[])All[name].Clone();
}
