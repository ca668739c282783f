using Carrier.Agent.Control;

namespace Carrier.Agent.Commands;

/// <summary>Text for people: a bar while data moves at a terminal, a line now and then where there is none.</summary>
internal sealed class TextPresenter : IPresenter
{
    private const int PlainSteps = 10;

    private readonly Lock _gate = new();
    private readonly TextWriter _output;
    private readonly bool _isTerminal;
    private readonly TransferBar _bar = new();
    private ControlReply? _result;
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
                SayText(reply);
            }
        }
    }

    public void Warn(string message) => Console.Error.WriteLine("carrier: " + message);

    public void End(EndReply end) => Console.Error.WriteLine("carrier: " + SafeText.Of(end.Message ?? end.ExitCode.ToString()));

    public async Task WithProgressAsync(Func<Task> work)
    {
        await (_isTerminal ? _bar.ShowWhileAsync(work, _gate) : work()).ConfigureAwait(false);
        if (_result is not null)
        {
            Say(_result);
        }
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

    // What went on is told above the bar at once; the result in its place.
    private void SayText(ControlReply reply)
    {
        if (!_bar.IsShown)
        {
            _output.WriteLine(ReplyText.Of(reply));
        }
        else if (reply is NoteReply)
        {
            TransferBar.WriteLine(ReplyText.Of(reply));
        }
        else
        {
            _result = reply;
        }
    }

    private void ShowProgress(ProgressReply progress)
    {
        if (_bar.IsShown)
        {
            _bar.Move(SafeText.Of(progress.Entry), progress.DoneBytes, progress.TotalBytes);
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
