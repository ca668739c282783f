using System.CommandLine;
using System.Globalization;
using Carrier.Agent.Control;
using Carrier.Agent.State;
using Carrier.Agent.Tunnels;
using Carrier.Agent.Tunnels.Serving;

namespace Carrier.Agent.Commands;

/// <summary><c>carrier serve</c>: lets peers reach something here by a name.</summary>
internal static class ServeCommand
{
    private const string DefaultSiteName = "http";

    private static readonly Argument<string?> Name = new("name")
    {
        Description = "What peers call it: letters, digits and -. With --http: http, unless told otherwise.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Argument<string?> Target = new("target")
    {
        Description = "Where it leads, such as 127.0.0.1:22.",
        HelpName = "host:port",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Option<string?> Folder = new("--http") { Description = "Serve a folder as a web site instead.", HelpName = "DIR" };

    private static readonly Option<bool> Lists = new("--list") { Description = "With --http: list folders that have no index.html." };

    private static readonly Option<bool> Udp = new("--udp") { Description = "The target is a UDP port." };

    private static readonly Option<string[]> Allow = new("--allow")
    {
        Description = "Who may use it: TrustIDs, commas between them, or 'any'. Devices of your own TrustID always may; nobody else unless you say so.",
        HelpName = "TRUSTID,…|any",
    };

    private static readonly Option<int> MaxConnections = new("--max-connections")
    {
        Description = "Connections, or UDP flows, at one time.",
        DefaultValueFactory = _ => TunnelLimits.DefaultConnections,
        HelpName = "N",
    };

    private static readonly Option<int> MaxPerPeer = new("--max-per-peer")
    {
        Description = "… of one TrustID.",
        DefaultValueFactory = _ => TunnelLimits.DefaultPerPeer,
        HelpName = "N",
    };

    private static readonly Option<string?> Rate = new("--rate")
    {
        Description = "Bytes a second, all connections and both ways together, such as 500k or 20M. Default: no limit.",
        HelpName = "RATE",
    };

    public static Command Build()
    {
        var command = new Command(
            "serve", "Let peers reach a TCP or UDP port, or a folder, of this machine by a name, for as long as this command runs or, with --keep, until it is stopped.")
        {
            Name, Target, Folder, Lists, Udp, Allow, MaxConnections, MaxPerPeer, Rate, TunnelOptions.Keep,
        };
        command.SetAction(CommandContext.Action(RunAsync));
        return command;
    }

    private static Task RunAsync(CommandContext context, ParseResult parsed, CancellationToken cancellationToken)
    {
        string? folder = parsed.GetValue(Folder);
        string? target = parsed.GetValue(Target);
        bool udp = parsed.GetValue(Udp);
        if ((folder is null) == (target is null) || (folder is not null && udp))
        {
            throw new AgentException(ExitCode.Usage, "Give a name and host:port, or --http and a folder: carrier serve ssh 127.0.0.1:22");
        }

        if (target is not null)
        {
            _ = ServiceTarget.Parse(target);
        }
        else if (!Directory.Exists(folder))
        {
            throw new AgentException(ExitCode.Usage, $"There is no folder '{folder}' to serve.");
        }

        var definition = new ServiceDefinition(
            TunnelOptions.ReadService(parsed.GetValue(Name) ?? DefaultSiteName).Text,
            target ?? Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder!)),
            folder is not null ? ServiceKind.Http : udp ? ServiceKind.Udp : ServiceKind.Tcp,
            [.. (parsed.GetValue(Allow) ?? []).SelectMany(each => each.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
                .Select(each => each == ServiceDefinition.Anybody ? each : context.ReadTrustId(each).ToString()).Distinct()],
            AtLeastOne(parsed.GetValue(MaxConnections), "--max-connections"),
            AtLeastOne(parsed.GetValue(MaxPerPeer), "--max-per-peer"),
            ReadRate(parsed.GetValue(Rate)),
            parsed.GetValue(Lists));
        return context.RunOnDaemonAsync(new ServeRequest(definition, parsed.GetValue(TunnelOptions.Keep)), cancellationToken);
    }

    private static int AtLeastOne(int value, string option) =>
        value > 0 ? value : throw new AgentException(ExitCode.Usage, $"{option} takes a number of at least 1.");

    private static long? ReadRate(string? text)
    {
        if (text is null)
        {
            return null;
        }

        int unit = text.Length == 0 ? 0 : text[^1] switch
        {
            'k' => 1_000,
            'M' => 1_000_000,
            'G' => 1_000_000_000,
            _ => 1,
        };
        return long.TryParse(unit > 1 ? text.AsSpan(0, text.Length - 1) : text, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            && number is > 0 and <= 1_000_000_000
            ? number * unit
            : throw new AgentException(ExitCode.Usage, $"'{text}' is no rate: give bytes a second, such as 500k or 20M.");
    }
}
