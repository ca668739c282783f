namespace Carrier.Agent.Control;

/// <summary>The data behind an opened pipe, as a stream to write. It begins when the pipe is opened, and disposing it is its end, once.</summary>
internal sealed class ChunkOutput(ControlConnection connection) : Stream
{
    private bool _isOpen;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => _isOpen;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>From here on lines may not be written until it has ended.</summary>
    public void Begin() => _isOpen = true;

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(!_isOpen, this);
        while (!buffer.IsEmpty)
        {
            ReadOnlyMemory<byte> chunk = buffer[..Math.Min(buffer.Length, ControlConnection.MaxChunkBytes)];
            await connection.WriteChunkAsync(chunk, cancellationToken).ConfigureAwait(false);
            buffer = buffer[chunk.Length..];
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask DisposeAsync()
    {
        if (_isOpen)
        {
            _isOpen = false;
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2));
            await connection.WriteChunkAsync(ReadOnlyMemory<byte>.Empty, patience.Token).ConfigureAwait(false);
        }

        await base.DisposeAsync().ConfigureAwait(false);
    }

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("Write asynchronously.");

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
