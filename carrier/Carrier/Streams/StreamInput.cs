using System.IO.Pipelines;
using Carrier.Driving;

namespace Carrier.Streams;

/// <summary>The application's end of what the peer sends: a pipe that tells the network thread when there is room again.</summary>
internal sealed class StreamInput(PipeReader inner, StreamDriver driver) : PipeReader
{
    public override bool TryRead(out ReadResult result) => inner.TryRead(out result);

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) => inner.ReadAsync(cancellationToken);

    public override void AdvanceTo(SequencePosition consumed)
    {
        inner.AdvanceTo(consumed);
        driver.OnConsumed();
    }

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        inner.AdvanceTo(consumed, examined);
        driver.OnConsumed();
    }

    public override void CancelPendingRead() => inner.CancelPendingRead();

    /// <summary>Ends reading; a peer that still sends is asked to stop, with the exception's code if that is a <see cref="CarrierException"/>.</summary>
    public override void Complete(Exception? exception = null)
    {
        inner.Complete();
        driver.OnInputCompleted((exception as CarrierException)?.Code ?? 0);
    }
}
