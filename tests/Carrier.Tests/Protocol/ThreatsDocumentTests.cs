using System.Reflection;
using System.Text.RegularExpressions;
using Carrier.Fuzz.Targets;
using Carrier.Tests.Architecture;

namespace Carrier.Tests.Protocol;

/// <summary>docs/threats.md names the test of each row; a name that leads nowhere is a promise nobody keeps.</summary>
public sealed partial class ThreatsDocumentTests
{
    [Fact]
    public void Every_row_names_tests_that_exist()
    {
        Type[] types = [.. Assembly.GetExecutingAssembly().GetTypes(), .. typeof(DhtTargets).Assembly.GetTypes()];
        string[] rows = [.. File.ReadLines(Path.Combine(Repository.Root, "docs", "threats.md")).Where(line => line.StartsWith('|') && !line.StartsWith("|--", StringComparison.Ordinal) && !line.Contains("| test |", StringComparison.Ordinal))];
        Assert.True(rows.Length > 30);
        foreach (string row in rows)
        {
            Type? last = null;
            MatchCollection names = Name().Matches(row.Split('|')[^2]);
            Assert.True(names.Count > 0, row);
            foreach (Match name in names)
            {
                (string ofClass, string ofMethod) = (name.Groups["class"].Value, name.Groups["method"].Value);
                last = ofClass.Length == 0 ? last : types.SingleOrDefault(type => $".{type.FullName}".EndsWith($".{ofClass}", StringComparison.Ordinal));
                Assert.True(last is not null && (ofMethod.Length == 0 || last.GetMethod(ofMethod) is not null), $"{name.Value} in: {row}");
            }
        }
    }

    // `Class`, `Namespace.Class`, `Class.Method_with_words`, or `.Method_with_words` of the class before.
    [GeneratedRegex(@"`(?<class>[A-Za-z0-9.]*?[A-Za-z0-9])?(\.(?<method>[A-Za-z0-9]+_\w+))?`", RegexOptions.NonBacktracking)]
    private static partial Regex Name();
}
