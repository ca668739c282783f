namespace Carrier.Agent.Control;

/// <summary>The data behind a request, as a stream to read.</summary>
internal sealed class ChunkStream(ControlConnection connection, Action ended) : Stream
{
    private int _left;
    private bool _ended;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_left == 0 && !_ended)
        {
            _left = await connection.ReadChunkHeadAsync(cancellationToken).ConfigureAwait(false);
            if (_left == 0)
            {
                _ended = true;
                ended();
            }
        }

        if (_ended)
        {
            return 0;
        }

        int read = await connection.ReadChunkAsync(buffer[..Math.Min(buffer.Length, _left)], cancellationToken).ConfigureAwait(false);
        _left -= read > 0 ? read : throw new EndOfStreamException("The command that sent this data ended before the data did.");
        return read;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Read asynchronously.");

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
