using Carrier.Agent.State;

namespace Carrier.Agent.Control;

/// <summary>The running agent of a home, spoken to over its socket.</summary>
internal sealed class ControlClient : IAgent, IAsyncDisposable
{
    private readonly ControlConnection _connection;

    private ControlClient(ControlConnection connection) => _connection = connection;

    /// <summary>Null when no agent is running for this home.</summary>
    public static async Task<ControlClient?> TryConnectAsync(AgentHome home, CancellationToken cancellationToken) =>
        await ControlSocket.TryConnectAsync(home, cancellationToken).ConfigureAwait(false) is { } socket
            ? new ControlClient(new ControlConnection(socket))
            : null;

    /// <summary>Runs one request; a client is good for one. Leaving it early makes the agent stop.</summary>
    public async Task RunAsync(ControlRequest request, IConversation conversation, CancellationToken cancellationToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task pump = Task.CompletedTask;
        try
        {
            await _connection.WriteAsync(request, ControlJson.Default.ControlRequest, cancellationToken).ConfigureAwait(false);
            if (request.HasInput)
            {
                pump = _connection.WriteDataAsync(conversation.Input, ended.Token);
            }

            EndReply end = await ReadRepliesAsync(conversation, cancellationToken).ConfigureAwait(false);
            if (end.ExitCode != ExitCode.Ok)
            {
                throw new AgentException(end.ExitCode, end.Message ?? "The agent gave no reason.");
            }
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            throw new AgentException(ExitCode.Failure, $"The running agent ended the conversation: {e.Message}", e);
        }
        finally
        {
            await ended.CancelAsync().ConfigureAwait(false);
            // Standard input does not always heed cancellation: it must not hold back the end of the command.
            await Task.WhenAny(pump, Task.Delay(TimeSpan.FromMilliseconds(100), CancellationToken.None)).ConfigureAwait(false);
        }
    }

    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    private async Task<EndReply> ReadRepliesAsync(IConversation conversation, CancellationToken cancellationToken)
    {
        while (true)
        {
            ControlReply reply = await _connection.TryReadAsync(ControlJson.Default.ControlReply, cancellationToken).ConfigureAwait(false)
                ?? throw new AgentException(ExitCode.Interrupted, "The agent stopped: start it again with carrier up.");
            switch (reply)
            {
                case EndReply end:
                    return end;
                case AskReply question:
                    bool yes = await conversation.AskAsync(question, cancellationToken).ConfigureAwait(false);
                    await _connection.WriteAsync(new ControlAnswer(question.Question, yes), ControlJson.Default.ControlAnswer, cancellationToken)
                        .ConfigureAwait(false);
                    break;
                case OpenedReply:
                    await conversation.SayAsync(reply, cancellationToken).ConfigureAwait(false);
                    await _connection.ReadDataAsync(conversation.Output, cancellationToken).ConfigureAwait(false);
                    await conversation.Output.DisposeAsync().ConfigureAwait(false);
                    break;
                default:
                    await conversation.SayAsync(reply, cancellationToken).ConfigureAwait(false);
                    break;
            }
        }
    }
}
