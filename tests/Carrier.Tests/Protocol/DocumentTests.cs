using System.Text.RegularExpressions;
using Carrier.Tests.Architecture;
using Carrier.Tests.Crypto;

namespace Carrier.Tests.Protocol;

/// <summary>docs/protocol.md against the vector files it names: its examples are theirs, and every file it names is there.</summary>
public sealed partial class DocumentTests
{
    private static readonly string Text = File.ReadAllText(Path.Combine(Repository.Root, "docs", "protocol.md"));

    /// <summary>Each block opened with <c>```vector folder/file</c> and its lines <c>name = hex</c>, where hex may be broken over lines.</summary>
    public static TheoryData<string, string, string> Examples
    {
        get
        {
            TheoryData<string, string, string> examples = [];
            foreach (Match block in Block().Matches(Text))
            {
                foreach (Match line in Line().Matches(block.Groups["body"].Value))
                {
                    examples.Add(block.Groups["file"].Value, line.Groups["name"].Value, Spaces().Replace(line.Groups["hex"].Value, ""));
                }
            }

            return examples;
        }
    }

    [Theory]
    [MemberData(nameof(Examples))]
    public void Example_in_the_document_is_the_golden_vector(string file, string name, string hex)
    {
        string[] parts = file.Split('/');
        Dictionary<string, byte[]> vectors = CryptoVectors.Read(parts[1], parts[0]);
        Assert.Equal(Convert.ToHexStringLower(vectors[name]), hex);
    }

    [Fact]
    public void Document_works_a_ping_a_handshake_and_a_packet() =>
        Assert.Equal(
            ["crypto/handshake.txt", "dht/ping.txt", "session/packets.txt"],
            Examples.Select(row => row.Data.Item1).Distinct().Order(StringComparer.Ordinal));

    [Fact]
    public void Every_vector_file_is_named_in_the_document_and_every_named_one_exists()
    {
        string folder = Path.Combine(Repository.Root, "tests", "Carrier.Tests", "Vectors");
        string[] files = [.. Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(folder, file).Replace('\\', '/'))];
        Assert.All(files, file => Assert.Contains(file, Text, StringComparison.Ordinal));
        Assert.All(Named().Matches(Text), name => Assert.Contains(name.Groups[1].Value, files));
    }

    [Fact]
    public void Every_section_says_something()
    {
        string[] lines = Text.Split('\n');
        for (int i = 0; i < lines.Length; i++)
        {
            string? next = lines[(i + 1)..].FirstOrDefault(line => line.Length > 0);
            bool isEmpty = lines[i].StartsWith("## ", StringComparison.Ordinal) && (next is null || next.StartsWith("## ", StringComparison.Ordinal));
            Assert.False(isEmpty, lines[i]);
        }
    }

    [GeneratedRegex(@"^```vector (?<file>\S+)\n(?<body>.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Block();

    [GeneratedRegex(@"^(?<name>[a-z0-9-]+) =(?<hex>(\s+[0-9a-f]+)+)$", RegexOptions.Multiline)]
    private static partial Regex Line();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();

    [GeneratedRegex(@"`(?:Vectors/)?([a-z]+/[a-z0-9-]+\.(?:txt|json))`")]
    private static partial Regex Named();
}
