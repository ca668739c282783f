using System.CommandLine;
using Carrier.Agent.Control;
using Carrier.Agent.Tunnels;

namespace Carrier.Agent.Commands;

/// <summary><c>carrier socks</c>: a local SOCKS5 port to every service of every peer.</summary>
internal static class SocksCommand
{
    private static readonly Option<int> Port = new("--port")
    {
        Description = "The port to open here; 0 for a free one.",
        DefaultValueFactory = _ => 1080,
        HelpName = "PORT",
    };

    public static Command Build()
    {
        var command = new Command(
            "socks",
            """
            Open a SOCKS5 port for programs that know it. They connect to
              NAME.TRUSTID.carrier   the service NAME, whatever the port
              TRUSTID.carrier:PORT   the service named by the port's number, such as 80
            and to nothing else. Let them resolve names through it (curl --socks5-hostname).
            """)
        {
            Port, TunnelOptions.Bind, TunnelOptions.Keep,
        };
        command.SetAction(CommandContext.Action((context, parsed, cancellationToken) =>
        {
            var definition = new SocksDefinition(parsed.GetRequiredValue(TunnelOptions.Bind), TunnelOptions.ReadPort(parsed.GetRequiredValue(Port)));
            return context.RunOnDaemonAsync(new SocksRequest(definition, parsed.GetValue(TunnelOptions.Keep)), cancellationToken);
        }));
        return command;
    }
}
