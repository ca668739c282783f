using System.CommandLine;
using Carrier.Agent.Control;
using Carrier.Agent.State;
using Carrier.Core.Identity;

namespace Carrier.Agent.Commands;

/// <summary><c>carrier init</c>: makes the identity of a home, or restores one.</summary>
internal static class InitCommand
{
    private static readonly Option<bool> Restore = new("--restore") { Description = "Restore an identity: its mnemonic is asked for, or read from standard input." };

    private static readonly Option<bool> NoPassphrase = new("--no-passphrase")
    {
        Description = "Keep the keys under a file only this user can read, so that the agent starts by itself.",
    };

    private static readonly Option<bool> LongWords = new("--24-words") { Description = "Make a mnemonic of 24 words rather than 12." };

    public static Command Build()
    {
        var command = new Command("init", "Make the keys of this home. The mnemonic is shown once.") { Restore, NoPassphrase, LongWords };
        command.SetAction(CommandContext.Action(RunAsync));
        return command;
    }

    private static Task RunAsync(CommandContext context, ParseResult parsed, CancellationToken cancellationToken)
    {
        bool restores = parsed.GetValue(Restore);
        using Mnemonic mnemonic = restores
            ? ReadMnemonic()
            : Mnemonic.Generate(SystemRandomSource.Shared, parsed.GetValue(LongWords) ? 24 : 12);
        string? passphrase = parsed.GetValue(NoPassphrase) ? null : Passphrase.AskNew();
        string words = mnemonic.ToText();
        TrustId id = context.Identity.Create(mnemonic, passphrase);
        if (parsed.GetValue(GlobalOptions.Seed) is { Length: > 0 } seeds)
        {
            (AgentConfig.Load(context.Home) with { Seeds = seeds }).Save(context.Home);
        }

        context.Presenter.Say(new IdentityReply(id.ToString(), id.ToAddress(), context.Home.FullPath, restores ? null : words));
        return Task.CompletedTask;
    }

    private static Mnemonic ReadMnemonic()
    {
        string text = (Console.IsInputRedirected ? Console.In.ReadLine() : Passphrase.ReadHidden("Mnemonic (not shown): ")) ?? string.Empty;
        MnemonicReading reading = Mnemonic.Read(text, out Mnemonic? mnemonic);
        return reading.IsValid ? mnemonic! : throw new AgentException(ExitCode.Usage, reading.ToString());
    }
}
