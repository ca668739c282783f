using Carrier.Core;
using Carrier.Net;

namespace Carrier.Driving;

/// <summary>A wish for a stream, which waits while the peer's limit is reached.</summary>
internal sealed class PendingOpen(SessionDriver session) : NetworkWork
{
    private readonly Awaited<CarrierStream> _result = session.NewAwaited<CarrierStream>();

    public bool IsGivenUp => _result.IsDecided;

    public async ValueTask<CarrierStream> RunAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Task<CarrierStream> result = _result.RunOrPost(this);
        if (result.IsCompleted)
        {
            return await result.ConfigureAwait(false);
        }

        await using (cancellationToken.UnsafeRegister(
            static (state, token) => ((PendingOpen)state!)._result.TryCancel(token), this).ConfigureAwait(false))
        {
            return await result.ConfigureAwait(false);
        }
    }

    /// <summary>False when nobody waits any more.</summary>
    public bool TrySucceed(CarrierStream stream) => _result.TrySucceed(stream);

    public void Fail(CarrierException reason) => _result.TryFail(reason);

    protected internal override void Run(Instant now) => session.Open(now, this);

    protected internal override void Abandon() => Fail(Failures.NodeStopped());
}
