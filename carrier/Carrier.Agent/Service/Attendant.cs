using Carrier.Agent.Control;
using Carrier.Agent.Transfer;
using Carrier.Core.Identity;

namespace Carrier.Agent.Service;

/// <summary>A conversation that watches the inbox: says yes for some peers, may be asked about others, hears of what arrives.</summary>
internal sealed class Attendant(ReceiveRequest request, IConversation conversation, ProgressTicker ticker, CancellationToken leaving)
{
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ReceiveRequest Request { get; } = request;

    public ProgressTicker Ticker { get; } = ticker;

    /// <summary>Completes when the one transfer it waited for has arrived.</summary>
    public Task Finished => _finished.Task;

    public bool Allows(TrustId peer) =>
        Request.Allow.Any(text => text == "all" || (TrustId.TryParse(text, out TrustId allowed) && allowed == peer));

    /// <summary>Asks; nobody answering in time is a no.</summary>
    public async ValueTask<bool> AskAsync(
        TrustId peer, Offer offer, int number, TimeSpan patience, TimeProvider time, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(patience, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(late.Token, leaving, cancellationToken);
        int files = offer.Entries.Count(entry => entry.Kind != EntryKind.Folder);
        var question = new AskReply(number, peer.ToString(), offer.Name, files, offer.HasUnknownSize ? null : offer.TotalBytes);
        try
        {
            return await conversation.AskAsync(question, linked.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return false;
        }
    }

    public async Task TellAsync(ReceivedReply received)
    {
        try
        {
            await conversation.SayAsync(received, leaving).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            return; // it is leaving; what arrived stays where it is
        }

        if (Request.Once && received.Failure is null)
        {
            _finished.TrySetResult();
        }
    }
}
