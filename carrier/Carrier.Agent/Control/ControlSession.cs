using System.Collections.Concurrent;
using Carrier.Agent.State;

namespace Carrier.Agent.Control;

/// <summary>The agent's end of one connection: reads the request, runs it, and stops it when the client goes.</summary>
#pragma warning disable CA1001 // the output is disposed where the conversation ends, before its last line
internal sealed class ControlSession : IConversation
#pragma warning restore CA1001
{
    private readonly ControlConnection _connection;
    private readonly CancellationTokenSource _clientGone;
    private readonly ConcurrentDictionary<int, TaskCompletionSource<bool>> _questions = new();
    private readonly ChunkOutput _output;
    private Task _listening = Task.CompletedTask;

    private ControlSession(ControlConnection connection, CancellationTokenSource clientGone)
    {
        _connection = connection;
        _clientGone = clientGone;
        _output = new ChunkOutput(connection);
        Input = new ChunkStream(connection, () => _listening = ListenAsync());
    }

    public Stream Input { get; }

    public Stream Output => _output;

    /// <summary>Serves one connection to its end.</summary>
    public static async Task RunAsync(ControlConnection connection, IAgent agent, CancellationToken stopping)
    {
        ControlRequest? request = await connection.TryReadAsync(ControlJson.Default.ControlRequest, stopping).ConfigureAwait(false);
        if (request is null)
        {
            return;
        }

        using var clientGone = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var session = new ControlSession(connection, clientGone);
        if (!request.HasInput)
        {
            session._listening = session.ListenAsync();
        }

        EndReply end = await session.EndOfAsync(request, agent).ConfigureAwait(false);
        if (!clientGone.IsCancellationRequested || stopping.IsCancellationRequested)
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2));
            await session._output.DisposeAsync().ConfigureAwait(false);
            await connection.WriteAsync<ControlReply>(end, ControlJson.Default.ControlReply, patience.Token).ConfigureAwait(false);
        }

        await clientGone.CancelAsync().ConfigureAwait(false);
        await session._listening.ConfigureAwait(false);
    }

    public async ValueTask SayAsync(ControlReply reply, CancellationToken cancellationToken)
    {
        await _connection.WriteAsync(reply, ControlJson.Default.ControlReply, cancellationToken).ConfigureAwait(false);
        if (reply is OpenedReply)
        {
            _output.Begin();
        }
    }

    public async ValueTask<bool> AskAsync(AskReply question, CancellationToken cancellationToken)
    {
        var answer = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        _questions[question.Question] = answer;
        try
        {
            await SayAsync(question, cancellationToken).ConfigureAwait(false);
            return await answer.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _questions.TryRemove(question.Question, out _);
        }
    }

    private async Task<EndReply> EndOfAsync(ControlRequest request, IAgent agent)
    {
        if (request.Version != ControlRequest.CurrentVersion)
        {
            return new EndReply(ExitCode.Failure, "The running agent speaks another version than this command: stop it and start it again with carrier up.");
        }

        try
        {
            await agent.RunAsync(request, this, _clientGone.Token).ConfigureAwait(false);
            return new EndReply(ExitCode.Ok);
        }
        catch (AgentException e)
        {
            return new EndReply(e.ExitCode, e.Message);
        }
        catch (OperationCanceledException)
        {
            return new EndReply(ExitCode.Cancelled, "The agent is stopping: start it again with carrier up.");
        }
    }

    /// <summary>Reads answers, and notices when the client goes.</summary>
    private async Task ListenAsync()
    {
        try
        {
            while (await _connection.TryReadAsync(ControlJson.Default.ControlAnswer, _clientGone.Token).ConfigureAwait(false) is { } answer)
            {
                if (_questions.TryGetValue(answer.Question, out TaskCompletionSource<bool>? question))
                {
                    question.TrySetResult(answer.Yes);
                }
            }
        }
        catch (Exception e) when (e is IOException or InvalidDataException or OperationCanceledException)
        {
            // Gone, or talking nonsense: the same to what it asked for.
        }

        await _clientGone.CancelAsync().ConfigureAwait(false);
    }
}
