using System.Text.RegularExpressions;
using Carrier.Seed.Configuration;
using Carrier.Tests.Architecture;

namespace Carrier.Tests.Bootstrap;

/// <summary>What can be held without a container engine: images run as nobody in particular, and compose names what exists.</summary>
public sealed partial class ContainerTests
{
    private static readonly string Compose = Read("docker-compose.yml");

    [Theory]
    [InlineData("bootstrap/Dockerfile", "/app/carrier-seed")]
    [InlineData("carrier/Carrier.Agent/Dockerfile", "/app/carrier")]
    public void Images_run_unprivileged_and_check_themselves(string dockerfile, string program)
    {
        string[] lines = Read(dockerfile).Split('\n');
        string[] last = lines[Array.FindLastIndex(lines, line => line.StartsWith("FROM ", StringComparison.Ordinal))..];

        Assert.DoesNotContain("AS build", last[0], StringComparison.Ordinal);
        string user = Assert.Single(last, line => line.StartsWith("USER ", StringComparison.Ordinal));
        Assert.Matches("^USER [1-9][0-9]*:[1-9][0-9]*$", user);
        Assert.Contains(last, line => line.StartsWith("HEALTHCHECK ", StringComparison.Ordinal) && line.Contains($"\"{program}\"", StringComparison.Ordinal));
        Assert.Contains($"ENTRYPOINT [\"{program}\"]", last);
        Assert.Contains(last, line => line.StartsWith("VOLUME ", StringComparison.Ordinal));
        Assert.DoesNotContain(last, line => line.StartsWith("RUN ", StringComparison.Ordinal)); // there is no shell
    }

    [Fact]
    public void Compose_has_three_seeds_and_two_agents_on_read_only_roots()
    {
        Assert.Equal(["seed1", "seed2", "seed3", "agent1", "agent2"], Services().Select(service => service.Name));
        Assert.All(Services(), service =>
        {
            string template = Assert.Single(Merge().Matches(service.Text)).Groups[1].Value;
            string shared = Compose[Compose.IndexOf($"&{template}\n", StringComparison.Ordinal)..];
            shared = shared[..shared.IndexOf("\n\n", StringComparison.Ordinal)];
            Assert.Contains("  read_only: true\n", shared, StringComparison.Ordinal);
            Assert.Contains("  cap_drop: [ALL]\n", shared, StringComparison.Ordinal);
            Assert.True(File.Exists(Path.Combine(Repository.Root, DockerfileOf().Match(shared).Groups[1].Value)));
            Assert.Contains($"volumes: [\"{service.Name}:/var/lib/carrier", service.Text, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void Compose_gives_only_variables_that_a_seed_takes()
    {
        var variables = Variable().Matches(Compose).ToDictionary(match => match.Index, match => (match.Groups[1].Value, match.Groups[2].Value));

        Assert.NotEmpty(variables);
        Assert.All(variables.Values, variable =>
        {
            Setting setting = Assert.Single(Setting.All, setting => setting.Variable == variable.Item1);
            Assert.True(variable.Item2.StartsWith("${", StringComparison.Ordinal) || setting.Apply(new SeedConfig(), variable.Item2) is not null);
        });
    }

    private static string Read(string file) => File.ReadAllText(Path.Combine(Repository.Root, file)).ReplaceLineEndings("\n");

    private static IEnumerable<(string Name, string Text)> Services()
    {
        string services = Compose[Compose.IndexOf("\nservices:\n", StringComparison.Ordinal)..Compose.IndexOf("\nnetworks:\n", StringComparison.Ordinal)];
        MatchCollection names = Service().Matches(services);
        return names.Select((name, i) => (name.Groups[1].Value, services[name.Index..(i + 1 < names.Count ? names[i + 1].Index : services.Length)]));
    }

    [GeneratedRegex(@"^  (\w+):$", RegexOptions.Multiline)]
    private static partial Regex Service();

    [GeneratedRegex(@"<<: \*(\w+)")]
    private static partial Regex Merge();

    [GeneratedRegex(@"dockerfile: (\S+)")]
    private static partial Regex DockerfileOf();

    [GeneratedRegex(@"(CARRIER_SEED_\w+): (\S+)")]
    private static partial Regex Variable();
}
