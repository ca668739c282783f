using Carrier.Agent.Control;

namespace Carrier.Agent.Commands;

/// <summary>One JSON object a line, for programs. Nothing is asked.</summary>
internal sealed class JsonPresenter(TextWriter output) : IPresenter
{
    private readonly Lock _gate = new();

    public bool CanAsk => false;

    public Stream Input => Console.OpenStandardInput();

    public void Say(ControlReply reply)
    {
        lock (_gate)
        {
            output.WriteLine(ControlJson.Line(reply));
            output.Flush();
        }
    }

    public void Warn(string message) => Console.Error.WriteLine(message);

    public void End(EndReply end) => Say(end);

    public Task WithProgressAsync(Func<Task> work) => work();

    public ValueTask SayAsync(ControlReply reply, CancellationToken cancellationToken)
    {
        Say(reply);
        return ValueTask.CompletedTask;
    }

    public ValueTask<bool> AskAsync(AskReply question, CancellationToken cancellationToken) => ValueTask.FromResult(false);
}
