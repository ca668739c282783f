using Spectre.Console;

namespace Carrier.Agent.Commands;

/// <summary>The bar that moves while data does: how much, how fast, how long still. The terminal library is loaded with the first one shown, so never in a daemon.</summary>
/// <remarks>Not for several threads at once.</remarks>
internal sealed class TransferBar
{
    private ProgressTask? _task;

    /// <summary>Whether it is on the screen, so that a line must go above it by <see cref="WriteLine"/>.</summary>
    /// <remarks>A value of its own: to look at the task would load the library.</remarks>
    public bool IsShown { get; private set; }

    /// <summary>Shows the bar until the work is over.</summary>
    public async Task ShowWhileAsync(Func<Task> work, Lock gate)
    {
        ProgressColumn[] columns =
        [
            new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new DownloadedColumn { Base = FileSizeBase.Decimal },
            new TransferSpeedColumn { Base = FileSizeBase.Decimal }, new RemainingTimeColumn(),
        ];
        await AnsiConsole.Progress().AutoClear(true).Columns(columns).StartAsync(async bars =>
        {
            lock (gate)
            {
                _task = bars.AddTask("connecting", autoStart: true, maxValue: 1);
                _task.IsIndeterminate = true;
                IsShown = true;
            }

            try
            {
                await work().ConfigureAwait(false);
            }
            finally
            {
                lock (gate)
                {
                    IsShown = false;
                }
            }
        }).ConfigureAwait(false);
    }

    /// <summary>Writes a line above the bar.</summary>
    public static void WriteLine(string text) => AnsiConsole.MarkupLine(Markup.Escape(text));

    public void Move(string entry, long doneBytes, long? totalBytes)
    {
        _task!.Description = Markup.Escape(entry);
        _task.IsIndeterminate = totalBytes is null;
        _task.MaxValue = Math.Max(totalBytes ?? doneBytes, 1);
        _task.Value = doneBytes;
    }
}
