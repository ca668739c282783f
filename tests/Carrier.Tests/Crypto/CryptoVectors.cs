namespace Carrier.Tests.Crypto;

/// <summary>Reads <c>Vectors/*/*.txt</c>: lines of <c>name = hex</c>, # for comments.</summary>
internal static class CryptoVectors
{
    public static Dictionary<string, byte[]> Read(string file, string folder = "crypto") =>
        File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Vectors", folder, file))
            .Where(line => line.Contains('=') && line[0] != '#')
            .Select(line => line.Split('=', 2, StringSplitOptions.TrimEntries))
            .ToDictionary(pair => pair[0], pair => Convert.FromHexString(pair[1]));

    /// <summary>Compares by hex, so that a failure shows the bytes.</summary>
    public static void AssertHex(byte[] expected, ReadOnlySpan<byte> actual) =>
        Assert.Equal(Convert.ToHexStringLower(expected), Convert.ToHexStringLower(actual));
}
