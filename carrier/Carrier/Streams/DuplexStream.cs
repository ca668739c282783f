using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;

namespace Carrier.Streams;

/// <summary>Both pipes of a <see cref="CarrierStream"/> as one <see cref="Stream"/>. One reader and one writer at a time; disposing it disposes the Carrier stream.</summary>
/// <remarks>Reading and writing take the state of their wait from a pool, which the framework's own adapters do not: a long transfer allocates nothing.</remarks>
internal sealed class DuplexStream(CarrierStream owner) : Stream
{
    private readonly Stream _input = owner.Input.AsStream(leaveOpen: true);
    private readonly Stream _output = owner.Output.AsStream(leaveOpen: true);

    public override bool CanRead => true;

    public override bool CanWrite => true;

    public override bool CanSeek => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(byte[] buffer, int offset, int count) => _input.Read(buffer, offset, count);

    public override int Read(Span<byte> buffer) => _input.Read(buffer);

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        _input.ReadAsync(buffer, offset, count, cancellationToken);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        PipeReader input = owner.Input;
        ReadResult read = await input.ReadAsync(cancellationToken).ConfigureAwait(false);
        if (read.IsCanceled)
        {
            throw new OperationCanceledException("The stream's reader was told to read no longer.");
        }

        int taken = (int)Math.Min(read.Buffer.Length, buffer.Length);
        ReadOnlySequence<byte> bytes = read.Buffer.Slice(0, taken);
        bytes.CopyTo(buffer.Span);
        input.AdvanceTo(bytes.End);
        return taken;
    }

    public override void Write(byte[] buffer, int offset, int count) => _output.Write(buffer, offset, count);

    public override void Write(ReadOnlySpan<byte> buffer) => _output.Write(buffer);

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        _output.WriteAsync(buffer, offset, count, cancellationToken);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        FlushResult flush = await owner.Output.WriteAsync(buffer, cancellationToken).ConfigureAwait(false);
        if (flush.IsCanceled)
        {
            throw new OperationCanceledException("The stream's writer was told to wait no longer.");
        }
    }

    public override Task CopyToAsync(Stream destination, int bufferSize, CancellationToken cancellationToken) =>
        _input.CopyToAsync(destination, bufferSize, cancellationToken);

    /// <summary>Nothing to do: every write is flushed.</summary>
    public override void Flush()
    {
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            owner.Complete();
        }

        base.Dispose(disposing);
    }
}
