using Carrier.Agent.Control;
using Spectre.Console;

namespace Carrier.Agent.Commands;

/// <summary>Text for people: a bar while data moves at a terminal, a line now and then where there is none.</summary>
internal sealed class TextPresenter : IPresenter
{
    private const int PlainSteps = 10;

    private readonly Lock _gate = new();
    private readonly TextWriter _output;
    private readonly bool _isTerminal;
    private ProgressTask? _bar;
    private int _lastStep;

    internal TextPresenter(TextWriter output, bool isTerminal)
    {
        _output = output;
        _isTerminal = isTerminal;
    }

    public bool CanAsk => _isTerminal && !Console.IsInputRedirected;

    public Stream Input => Console.OpenStandardInput();

    public static TextPresenter OnConsole() => new(Console.Out, !Console.IsOutputRedirected && !Console.IsErrorRedirected);

    public void Say(ControlReply reply)
    {
        lock (_gate)
        {
            if (reply is ProgressReply progress)
            {
                ShowProgress(progress);
            }
            else
            {
                string text = ReplyText.Of(reply);
                if (_bar is null)
                {
                    _output.WriteLine(text);
                }
                else
                {
                    AnsiConsole.MarkupLine(Markup.Escape(text));
                }
            }
        }
    }

    public void Warn(string message) => Console.Error.WriteLine("carrier: " + message);

    public void End(EndReply end) => Console.Error.WriteLine("carrier: " + SafeText.Of(end.Message ?? end.ExitCode.ToString()));

    public async Task WithProgressAsync(Func<Task> work)
    {
        if (!_isTerminal)
        {
            await work().ConfigureAwait(false);
            return;
        }

        ProgressColumn[] columns =
        [
            new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new DownloadedColumn(),
            new TransferSpeedColumn(), new RemainingTimeColumn(),
        ];
        await AnsiConsole.Progress().AutoClear(true).Columns(columns).StartAsync(async bars =>
        {
            lock (_gate)
            {
                _bar = bars.AddTask("connecting", autoStart: true, maxValue: 1);
                _bar.IsIndeterminate = true;
            }

            try
            {
                await work().ConfigureAwait(false);
            }
            finally
            {
                lock (_gate)
                {
                    _bar = null;
                }
            }
        }).ConfigureAwait(false);
    }

    public ValueTask SayAsync(ControlReply reply, CancellationToken cancellationToken)
    {
        Say(reply);
        return ValueTask.CompletedTask;
    }

    public async ValueTask<bool> AskAsync(AskReply question, CancellationToken cancellationToken)
    {
        if (!CanAsk)
        {
            return false;
        }

        lock (_gate)
        {
            _output.Write(ReplyText.Of(question) + " Accept? [y/N] ");
        }

        // Reading a terminal cannot be cancelled: a question nobody answers is left behind with its line.
        string? line = await Task.Run(Console.ReadLine, cancellationToken).WaitAsync(cancellationToken).ConfigureAwait(false);
        return line?.Trim().ToUpperInvariant() is "Y" or "YES";
    }

    private void ShowProgress(ProgressReply progress)
    {
        if (_bar is not null)
        {
            _bar.Description = Markup.Escape(SafeText.Of(progress.Entry));
            _bar.IsIndeterminate = progress.TotalBytes is null;
            _bar.MaxValue = Math.Max(progress.TotalBytes ?? progress.DoneBytes, 1);
            _bar.Value = progress.DoneBytes;
            return;
        }

        int step = progress.TotalBytes is > 0 and { } total ? (int)(progress.DoneBytes * PlainSteps / total) : 0;
        if (step != _lastStep)
        {
            _lastStep = step;
            _output.WriteLine($"{step * 100 / PlainSteps}% of {ReplyText.Size(progress.TotalBytes!.Value)}");
        }
    }
}
