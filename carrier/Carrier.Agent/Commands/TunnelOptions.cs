using System.CommandLine;
using Carrier.Agent.State;
using Carrier.Agent.Tunnels;

namespace Carrier.Agent.Commands;

/// <summary>What the commands about services and forwards have in common.</summary>
internal static class TunnelOptions
{
    public static readonly Option<bool> Keep = new("--keep")
    {
        Description = "Hand it to the agent for good: it stays when this command ends and comes back when the agent restarts, until carrier services stop.",
    };

    public static readonly Option<string> Bind = new("--bind")
    {
        Description = "The local address to listen on. Any other than loopback lets others on your network use it.",
        DefaultValueFactory = _ => "127.0.0.1",
        HelpName = "ADDRESS",
    };

    public static ServiceName ReadService(string text) => ServiceName.TryParse(text, out ServiceName name)
        ? name
        : throw new AgentException(ExitCode.Usage, $"'{text}' is no name of a service: letters, digits and - only, 63 at most.");

    public static int ReadPort(int port) => port is >= 0 and <= ushort.MaxValue
        ? port
        : throw new AgentException(ExitCode.Usage, $"{port} is no port: give 1 to 65535, or 0 for a free one.");
}
