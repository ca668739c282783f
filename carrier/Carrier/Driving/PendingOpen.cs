using Carrier.Core;
using Carrier.Net;

namespace Carrier.Driving;

/// <summary>A wish for a stream, which waits while the peer's limit is reached.</summary>
internal sealed class PendingOpen(SessionDriver session) : NetworkWork
{
    private readonly TaskCompletionSource<CarrierStream> _result = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public bool IsGivenUp => _result.Task.IsCompleted;

    public async ValueTask<CarrierStream> RunAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        session.RunOrPost(this);
        await using (cancellationToken.UnsafeRegister(
            static (state, token) => ((PendingOpen)state!)._result.TrySetCanceled(token), this).ConfigureAwait(false))
        {
            return await _result.Task.ConfigureAwait(false);
        }
    }

    /// <summary>False when nobody waits any more.</summary>
    public bool TrySucceed(CarrierStream stream) => _result.TrySetResult(stream);

    public void Fail(CarrierException reason) => _result.TrySetException(reason);

    protected internal override void Run(Instant now) => session.Open(now, this);

    protected internal override void Abandon() => Fail(Failures.NodeStopped());
}
