using System.Diagnostics;
using Carrier.Lab.Tools;

namespace Carrier.Lab.Network;

/// <summary>
/// Removes a run's namespaces and every process in them, once, however the run ends: a small shell process waits on a pipe from the runner,
/// and the pipe closes when the runner disposes this, is interrupted, crashes or is killed with SIGKILL.
/// </summary>
internal sealed class Undertaker : IAsyncDisposable
{
    /// <summary>Reads until told "keep" or end of file. Ignores the terminal's signals, which reach it together with the runner.</summary>
    private const string Script = """
        trap '' INT TERM HUP
        read -r word && [ "$word" = keep ] && exit 0
        for name in $(ip netns list | cut -d' ' -f1); do
            case "$name" in "$1"-*)
                for pid in $(ip netns pids "$name"); do kill -9 "$pid" 2>/dev/null; done
                ip netns del "$name"
            esac
        done
        """;

    private readonly bool _keep;
    private readonly Process _shell;

    public Undertaker(string prefix, bool keep)
    {
        _keep = keep;
        _shell = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", Script, "undertaker", prefix]) { RedirectStandardInput = true })
            ?? throw new LabException("cannot start /bin/sh");
    }

    /// <summary>Removes what dead runs left, except what was kept on purpose: <paramref name="keptToo"/> takes that as well.</summary>
    /// <returns>The runs buried.</returns>
    public static async Task<IReadOnlyList<LabRun>> BuryTheDeadAsync(CancellationToken cancellation, bool keptToo = false)
    {
        LabRun[] dead = [.. (await LabRun.ListAsync(cancellation)).Where(run => !run.IsAlive && (keptToo || !run.IsKept))];
        foreach (LabRun run in dead)
        {
            await using (new Undertaker(run.Prefix, keep: false))
            {
                run.ForgetKept();
            }
        }

        return dead;
    }

    public async ValueTask DisposeAsync()
    {
        if (_keep)
        {
            LabRun.Current.MarkKept();
            await _shell.StandardInput.WriteLineAsync("keep");
        }

        _shell.StandardInput.Close();
        await _shell.WaitForExitAsync();
        _shell.Dispose();
    }
}
