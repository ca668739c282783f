using System.Buffers;
using System.IO.Pipelines;

namespace Carrier.Agent.Tunnels;

/// <summary>A pair of pipes in this process, whose other side is a server here.</summary>
internal sealed class PipeEnd(IDuplexPipe pipe) : LocalEnd
{
    public override async ValueTask WaitAsync(CancellationToken cancellationToken)
    {
        ReadResult result = await pipe.Input.ReadAsync(cancellationToken).ConfigureAwait(false);
        pipe.Input.AdvanceTo(result.Buffer.Start);
    }

    public override async ValueTask<int> ReceiveAsync(Memory<byte> destination, CancellationToken cancellationToken)
    {
        ReadResult result = await pipe.Input.ReadAsync(cancellationToken).ConfigureAwait(false);
        ReadOnlySequence<byte> taken = result.Buffer.Slice(0, Math.Min(result.Buffer.Length, destination.Length));
        int bytes = (int)taken.Length;
        taken.CopyTo(destination.Span);
        pipe.Input.AdvanceTo(taken.End);
        return bytes;
    }

    public override async ValueTask SendAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken)
    {
        FlushResult flushed = await pipe.Output.WriteAsync(source, cancellationToken).ConfigureAwait(false);
        if (flushed.IsCompleted)
        {
            throw new IOException("The server reads no more of this connection.");
        }
    }

    public override ValueTask EndSendingAsync() => pipe.Output.CompleteAsync();

    public override void Reset()
    {
        var cut = new IOException("The connection was cut off.");
        pipe.Output.Complete(cut);
        pipe.Input.Complete(cut);
    }

    public override async ValueTask DisposeAsync()
    {
        await pipe.Output.CompleteAsync().ConfigureAwait(false);
        await pipe.Input.CompleteAsync().ConfigureAwait(false);
    }
}
