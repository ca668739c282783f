using System.CommandLine;
using Carrier.Agent.Control;

namespace Carrier.Agent.Commands;

/// <summary>What <c>up</c> and <c>receive</c> are told about files that arrive.</summary>
internal static class ReceiveOptions
{
    public static readonly Option<string[]> Allow = new("--allow")
    {
        Description = "Accept files of this TrustID without asking, or of everybody with 'all'; may be given several times.",
        HelpName = "TRUSTID|all",
    };

    public static readonly Option<string?> Folder = new("--dir") { Description = "Where files go. Default: received, in the home.", HelpName = "DIR" };

    public static ReceiveRequest Read(CommandContext context, ParseResult parsed, bool once, bool asks)
    {
        string[] allow = [.. (parsed.GetValue(Allow) ?? []).Select(text => text == "all" ? text : context.ReadTrustId(text).ToString())];
        string? folder = parsed.GetValue(Folder);
        return new ReceiveRequest(folder is null ? null : Path.GetFullPath(folder), allow, once, asks);
    }
}
