using Carrier.Agent.Control;
using Microsoft.Win32.SafeHandles;

namespace Carrier.Agent.Commands;

/// <summary>Standard output belongs to the data here: nothing is said but what went wrong, and that on standard error.</summary>
internal sealed class PipePresenter : IConversation
{
    private const int StandardOutput = 1;

    public Stream Input { get; } = Console.OpenStandardInput();

    // Closing must close the descriptor itself, so that the program behind the pipe sees the end; the console's own stream only closes a copy.
    public Stream Output { get; } = OperatingSystem.IsWindows()
        ? Console.OpenStandardOutput()
        : new FileStream(new SafeFileHandle(StandardOutput, ownsHandle: true), FileAccess.Write, bufferSize: 0);

    public ValueTask SayAsync(ControlReply reply, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public ValueTask<bool> AskAsync(AskReply question, CancellationToken cancellationToken) => ValueTask.FromResult(false);
}
