using System.Text;
using Carrier.Agent.State;

namespace Carrier.Agent.Commands;

/// <summary>Secrets from the user: <c>CARRIER_PASSPHRASE</c>, or typed at a terminal without being shown.</summary>
internal static class Passphrase
{
    private const string Variable = "CARRIER_PASSPHRASE";

    /// <summary>The passphrase of existing keys.</summary>
    /// <exception cref="AgentException">The variable is not set, and there is no terminal to ask at.</exception>
    public static string Ask(string prompt)
    {
        if (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } set)
        {
            return set;
        }

        if (Console.IsInputRedirected)
        {
            throw new AgentException(ExitCode.Usage, $"These keys are under a passphrase and there is no terminal to ask at: set {Variable}.");
        }

        return ReadHidden(prompt);
    }

    /// <summary>A new passphrase, typed twice.</summary>
    /// <exception cref="AgentException">As <see cref="Ask"/>, or the two differ.</exception>
    public static string AskNew()
    {
        if (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } set)
        {
            return set;
        }

        if (Console.IsInputRedirected)
        {
            throw new AgentException(
                ExitCode.Usage, $"There is no terminal to ask for a passphrase at: set {Variable}, or give --no-passphrase to keep the keys under a file of this user.");
        }

        string first = ReadHidden("New passphrase: ");
        return first.Length > 0 && ReadHidden("Again: ") == first
            ? first
            : throw new AgentException(ExitCode.Usage, "The two differ, or are empty: nothing was made. Try again.");
    }

    /// <summary>Reads a line that is not shown, at a terminal.</summary>
    public static string ReadHidden(string prompt)
    {
        Console.Error.Write(prompt);
        var typed = new StringBuilder();
        while (Console.ReadKey(intercept: true) is { Key: not ConsoleKey.Enter } key)
        {
            if (key.Key == ConsoleKey.Backspace)
            {
                typed.Length = Math.Max(0, typed.Length - 1);
            }
            else if (!char.IsControl(key.KeyChar))
            {
                typed.Append(key.KeyChar);
            }
        }

        Console.Error.WriteLine();
        return typed.ToString();
    }
}
