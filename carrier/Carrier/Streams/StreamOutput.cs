using System.IO.Pipelines;
using Carrier.Driving;

namespace Carrier.Streams;

/// <summary>The application's end of what it sends: a pipe that tells the network thread of each flush.</summary>
internal sealed class StreamOutput(PipeWriter inner, StreamDriver driver) : PipeWriter
{
    public override bool CanGetUnflushedBytes => inner.CanGetUnflushedBytes;

    public override long UnflushedBytes => inner.UnflushedBytes;

    public override void Advance(int bytes) => inner.Advance(bytes);

    public override Memory<byte> GetMemory(int sizeHint = 0) => inner.GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => inner.GetSpan(sizeHint);

    public override void CancelPendingFlush() => inner.CancelPendingFlush();

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        ValueTask<FlushResult> flush = inner.FlushAsync(cancellationToken);
        driver.OnFlushed();
        return flush;
    }

    public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default)
    {
        ValueTask<FlushResult> flush = inner.WriteAsync(source, cancellationToken);
        driver.OnFlushed();
        return flush;
    }

    /// <summary>Ends the stream after what was written; with an exception it is reset instead, with its code if that is a <see cref="CarrierException"/>.</summary>
    public override void Complete(Exception? exception = null)
    {
        if (exception is not null)
        {
            driver.AbortOutput((exception as CarrierException)?.Code ?? 0);
        }

        // Without the exception: the network thread should hear of it, not meet it.
        inner.Complete();
        driver.OnOutputCompleted();
    }
}
