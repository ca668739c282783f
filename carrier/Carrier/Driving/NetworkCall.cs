using Carrier.Core;
using Carrier.Net;

namespace Carrier.Driving;

/// <summary>A question to the machine, put by any thread, answered on the network thread.</summary>
internal sealed class NetworkCall<T>(Func<Instant, T> ask) : NetworkWork
{
    private readonly TaskCompletionSource<T> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Faults with <see cref="CarrierError.NodeStopped"/> where the node stopped first.</summary>
    public Task<T> Task => _answer.Task;

    protected internal override void Run(Instant now) => _answer.TrySetResult(ask(now));

    protected internal override void Abandon() => _answer.TrySetException(Failures.NodeStopped());
}
