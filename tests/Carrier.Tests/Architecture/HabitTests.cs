using System.Text.RegularExpressions;

namespace Carrier.Tests.Architecture;

/// <summary>Habits a reader relies on: rooms small enough to see, names that say something.</summary>
public partial class HabitTests
{
    private const int MaxLines = 400;

    [Fact]
    public void No_source_file_is_too_big_to_see()
    {
        string[] tooBig = [.. Repository.SourceFiles().Where(file => File.ReadLines(Path.Combine(Repository.Root, file)).Count() > MaxLines)];
        Assert.Empty(tooBig);
    }

    [Fact]
    public void No_type_has_a_name_that_says_nothing()
    {
        string[] found = [.. Repository.SourceFiles()
            .SelectMany(file => Nothing().Matches(File.ReadAllText(Path.Combine(Repository.Root, file))).Select(match => $"{file}: {match.Value}"))];
        Assert.Empty(found);
    }

    [GeneratedRegex(@"\b(class|struct|record|interface|enum) \w*(Manager|Helper|Helpers|Utils|Common)\b", RegexOptions.NonBacktracking)]
    private static partial Regex Nothing();
}
