using System.Globalization;
using Carrier.Lab.Tools;

namespace Carrier.Lab;

/// <summary>A command line: a verb, words, options that take a value and flags that do not. An unknown option is refused.</summary>
internal sealed class Arguments
{
    private static readonly string[] Flags = ["--json", "--keep", "--fresh", "--all", "--short", "--beside", "--no-relay", "--help"];
    private static readonly string[] Options =
    [
        "--repeats", "--bytes", "--carrier", "--seed", "--artifacts", "--run", "--kinds",
        "--delay-ms", "--jitter-ms", "--loss-percent", "--rate-mbit", "--device",
        "--from", "--to", "--case", "--seconds", "--bench", "--server", "--address", "--other-address", "--port", "--room", "--member", "--timeout-ms", "--clients", "--bar-ms",
    ];

    private readonly Dictionary<string, string> _options = [];

    private Arguments(string verb) => Verb = verb;

    public string Verb { get; }

    public List<string> Words { get; } = [];

    /// <summary>Everything after <c>--</c>.</summary>
    public IReadOnlyList<string> Rest { get; private set; } = [];

    public static Arguments Parse(string[] args)
    {
        var parsed = new Arguments(args.Length == 0 ? "--help" : args[0]);
        for (int i = 1; i < args.Length; i++)
        {
            string arg = args[i];
            if (arg == "--")
            {
                parsed.Rest = args[(i + 1)..];
                break;
            }

            if (Flags.Contains(arg))
            {
                parsed._options[arg] = "";
            }
            else if (Options.Contains(arg) && i + 1 < args.Length)
            {
                parsed._options[arg] = args[++i];
            }
            else if (arg.StartsWith('-'))
            {
                throw new LabException($"unknown option {arg}, or its value is missing");
            }
            else
            {
                parsed.Words.Add(arg);
            }
        }

        return parsed;
    }

    public bool Has(string flag) => _options.ContainsKey(flag);

    public string? Text(string option) => _options.GetValueOrDefault(option);

    public string Require(string option) => Text(option) ?? throw new LabException($"{Verb} needs {option}");

    public double Number(string option, double otherwise) =>
        Text(option) is not { } text ? otherwise
        : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && value >= 0 ? value
        : throw new LabException($"{option} takes a number, not '{text}'");

    public int Count(string option, int otherwise) => (int)Number(option, otherwise);
}
