using System.CommandLine;

namespace Carrier.Agent.Commands;

/// <summary>The options every command has.</summary>
internal static class GlobalOptions
{
    public static readonly Option<string?> Home = new("--home")
    {
        Description = "The agent's folder. Default: $CARRIER_HOME, else ~/.carrier.",
        HelpName = "DIR",
        Recursive = true,
    };

    public static readonly Option<bool> Json = new("--json") { Description = "Print one JSON object a line.", Recursive = true };

    public static readonly Option<string[]> Seed = new("--seed")
    {
        Description = "A seed to join the network by; may be given several times. Default: those of the home's config.json.",
        HelpName = "key@host:port",
        Recursive = true,
    };

    public static readonly Option<bool> Verbose = new("--verbose") { Description = "Log to standard error.", Recursive = true };
}
