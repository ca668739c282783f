using Mono.Cecil;

namespace Carrier.Tests.Architecture;

/// <summary>Reads the built assemblies: a pure machine that reached for a clock, a task or a socket fails here even if the analyzer was silenced.</summary>
public class PurityTests
{
    [Theory]
    [InlineData("Carrier.Core")]
    [InlineData("Carrier.Dht")]
    [InlineData("Carrier.Nat")]
    [InlineData("Carrier.Node")]
    public void Pure_assembly_uses_no_banned_api(string assembly)
    {
        HashSet<string> banned = BannedSymbols();
        using ModuleDefinition module = ModuleDefinition.ReadModule(Path.Combine(AppContext.BaseDirectory, assembly + ".dll"));

        string[] types = [.. module.GetTypeReferences().Select(type => type.FullName)];
        string[] members = [.. module.GetMemberReferences().Select(member => $"{member.DeclaringType.FullName}.{member.Name.Replace("get_", "", StringComparison.Ordinal)}")];

        Assert.NotEmpty(types);
        Assert.DoesNotContain(types, banned.Contains);
        Assert.DoesNotContain(members, banned.Contains);
    }

    [Fact]
    public void Banned_symbols_are_recognised_in_an_impure_assembly()
    {
        HashSet<string> banned = BannedSymbols();
        using ModuleDefinition module = ModuleDefinition.ReadModule(Path.Combine(AppContext.BaseDirectory, "Carrier.dll"));
        Assert.Contains(module.GetTypeReferences(), type => banned.Contains(type.FullName));
    }

    private static HashSet<string> BannedSymbols() =>
        [.. File.ReadLines(Path.Combine(Repository.Root, "BannedSymbols.txt")).Where(line => line.Length > 2).Select(line => line[2..line.IndexOf(';', StringComparison.Ordinal)])];
}
