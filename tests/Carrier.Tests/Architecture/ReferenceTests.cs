using System.Xml.Linq;

namespace Carrier.Tests.Architecture;

/// <summary>The plan of the house, held: which project may see which.</summary>
public class ReferenceTests
{
    private static readonly Dictionary<string, string[]> Plan = new()
    {
        ["Carrier.Core"] = [],
        ["Carrier.Dht"] = ["Carrier.Core"],
        ["Carrier.Nat"] = ["Carrier.Core"],
        ["Carrier.Node"] = ["Carrier.Core", "Carrier.Dht", "Carrier.Nat"],
        ["Carrier"] = ["Carrier.Node"],
        ["Carrier.Chain"] = ["Carrier.Core"],
        ["Carrier.Agent"] = ["Carrier", "Carrier.Chain", "Carrier.Devnet"],
        ["Carrier.Seed"] = ["Carrier"],
        ["Carrier.Devnet"] = ["Carrier.Chain"],
        ["Carrier.Simulation"] = ["Carrier.Chain", "Carrier.Devnet", "Carrier.Node"],
        ["Carrier.Benchmarks"] = ["Carrier", "Carrier.Chain", "Carrier.Simulation"],
        ["Carrier.Lab"] = [],
        ["Carrier.Fuzz"] = ["Carrier.Agent", "Carrier.Node"],
        ["Carrier.Tests"] = ["Carrier.Agent", "Carrier.Benchmarks", "Carrier.Fuzz", "Carrier.Seed", "Carrier.Simulation"],
    };

    [Fact]
    public void Projects_match_the_plan()
    {
        Dictionary<string, string[]> actual = Projects().ToDictionary(
            file => Path.GetFileNameWithoutExtension(file)!,
            file => XDocument.Load(file).Descendants("ProjectReference")
                .Where(reference => reference.Attribute("ReferenceOutputAssembly")?.Value != "false") // build order only, no code is seen
                .Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value.Replace('\\', '/')))
                .Order(StringComparer.Ordinal).ToArray());

        Assert.Equal(Plan.Keys.Order(StringComparer.Ordinal), actual.Keys.Order(StringComparer.Ordinal));
        foreach ((string project, string[] references) in Plan)
        {
            Assert.Equal(references.Order(StringComparer.Ordinal), actual[project]);
        }
    }

    [Theory]
    [InlineData("Carrier.Core")]
    [InlineData("Carrier.Dht")]
    [InlineData("Carrier.Nat")]
    [InlineData("Carrier.Node")]
    public void Pure_projects_are_marked_pure(string project)
    {
        string file = Projects().Single(path => Path.GetFileNameWithoutExtension(path) == project);
        Assert.Equal("true", XDocument.Load(file).Descendants("CarrierPure").Single().Value);
    }

    [Fact]
    public void No_project_folder_is_nested_in_another()
    {
        string[] folders = [.. Projects().Select(file => Path.GetDirectoryName(file)! + Path.DirectorySeparatorChar)];
        foreach (string outer in folders)
        {
            Assert.DoesNotContain(folders, inner => inner != outer && inner.StartsWith(outer, StringComparison.Ordinal));
        }
    }

    private static IEnumerable<string> Projects() =>
        Directory.EnumerateFiles(Repository.Root, "*.csproj", SearchOption.AllDirectories);
}
