using System.CommandLine;
using Carrier.Seed.Configuration;
using Carrier.Seed.Operations;

namespace Carrier.Seed;

/// <summary>The command line of <c>carrier-seed</c>: one flag a setting, and the command of container health checks.</summary>
internal static class SeedCommand
{
    private const int UsageError = 2;

    private static readonly Option<string?> File = new("--config")
    {
        HelpName = "FILE",
        Description = $"JSON file of these settings, keys as the flags. Default {ConfigLoader.DefaultFile} where it exists.",
        Recursive = true,
    };

    public static async Task<int> RunAsync(IReadOnlyList<string> args)
    {
        ParseResult parsed = Build().Parse(args);

        // SeedServer answers signals itself: it drains.
        int code = await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null }).ConfigureAwait(false);
        return parsed.Errors.Count > 0 ? UsageError : code;
    }

    private static RootCommand Build()
    {
        Dictionary<Setting, Option<string[]>> flags = Setting.All.ToDictionary(setting => setting, FlagOf);
        Command health = new("health", "Ask the seed of this configuration on this machine how it is; ends with 0 when it serves, 1 when not.");
        RootCommand root = new(
            $"""
            A seed of the Carrier network: a public node that keeps part of the DHT, answers STUN, introduces devices to each other and relays for them.

            Every flag is also a key of the --config file and a variable: --relay-total is "relay-total" and {Setting.EnvironmentPrefix}RELAY_TOTAL.
            A flag goes before a variable, a variable before the file. Prints READY key@host:port when it serves: what others give as --seed.
            SIGTERM drains and ends with 0. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.
            """)
        {
            File,
            health,
        };
        foreach (Option<string[]> flag in flags.Values)
        {
            root.Options.Add(flag);
        }

        root.SetAction((parsed, cancellationToken) => WithConfigAsync(parsed, flags, config => SeedServer.RunAsync(config, cancellationToken)));
        health.SetAction((parsed, cancellationToken) => WithConfigAsync(parsed, flags, config => HealthProbe.RunAsync(config.Http, cancellationToken)));
        return root;
    }

    private static Option<string[]> FlagOf(Setting setting) => new(setting.Flag)
    {
        HelpName = setting.Form,
        Description = setting.Description,
        Recursive = true,
        Arity = ArgumentArity.OneOrMore, // a second value of a setting that takes one is refused with the words of all sources
    };

    private static async Task<int> WithConfigAsync(ParseResult parsed, Dictionary<Setting, Option<string[]>> flags, Func<SeedConfig, Task<int>> run)
    {
        var given = flags.Where(flag => parsed.GetResult(flag.Value) is { Implicit: false })
            .ToDictionary(flag => flag.Key.Name, flag => new GivenValue(flag.Key.Flag, parsed.GetValue(flag.Value)!));
        if (ConfigLoader.TryLoad(parsed.GetValue(File), Environment.GetEnvironmentVariables(), given, out SeedConfig? config, out string error))
        {
            return await run(config).ConfigureAwait(false);
        }

        await Console.Error.WriteLineAsync($"carrier-seed: {error}").ConfigureAwait(false);
        return UsageError;
    }
}
