using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Carrier.Agent.Control;

/// <summary>One connection of the control protocol, either end: JSON lines both ways; behind a request that has data, and behind an opened pipe, chunks.</summary>
/// <remarks>
/// <code>
///  line   one JSON object of at most 65,536 bytes, LF
///  data   ( length 4, big-endian, 1 … 65,536 ‖ bytes )*  00 00 00 00      without the zero length it did not end, it broke
/// </code>
/// Several may write lines at one time, one may read.
/// </remarks>
internal sealed class ControlConnection : IAsyncDisposable
{
    /// <summary>A longer line is no request and no reply.</summary>
    public const int MaxLineBytes = 64 * 1024;

    /// <summary>Data of one chunk.</summary>
    public const int MaxChunkBytes = 64 * 1024;

    private readonly NetworkStream _stream;
    private readonly PipeReader _reader;
    private readonly SemaphoreSlim _writing = new(1);

    public ControlConnection(Socket socket)
    {
        _stream = new NetworkStream(socket, ownsSocket: true);
        _reader = PipeReader.Create(_stream, new StreamPipeReaderOptions(bufferSize: MaxChunkBytes, leaveOpen: true));
    }

    /// <summary>Reads a line; null at the end of the connection.</summary>
    /// <exception cref="InvalidDataException">It is too long, or not the JSON expected.</exception>
    /// <exception cref="IOException">The connection broke.</exception>
    public async Task<T?> TryReadAsync<T>(JsonTypeInfo<T> type, CancellationToken cancellationToken)
        where T : class
    {
        while (true)
        {
            ReadResult result = await _reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            ReadOnlySequence<byte> buffer = result.Buffer;
            if (buffer.PositionOf((byte)'\n') is { } newline)
            {
                T? value = Parse(buffer.Slice(0, newline), type);
                _reader.AdvanceTo(buffer.GetPosition(1, newline));
                return value;
            }

            _reader.AdvanceTo(buffer.Start, buffer.End);
            if (buffer.Length > MaxLineBytes)
            {
                throw new InvalidDataException("A control line is too long.");
            }

            if (result.IsCompleted)
            {
                return null;
            }
        }
    }

    public async Task WriteAsync<T>(T value, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(value, type);
        await WriteRawAsync((byte[])[.. json, (byte)'\n'], cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Sends a stream as data, to its end.</summary>
    public async Task WriteDataAsync(Stream source, CancellationToken cancellationToken)
    {
        byte[] chunk = new byte[sizeof(uint) + MaxChunkBytes];
        int read;
        do
        {
            read = await source.ReadAsync(chunk.AsMemory(sizeof(uint)), cancellationToken).ConfigureAwait(false);
            BinaryPrimitives.WriteUInt32BigEndian(chunk, (uint)read);
            await WriteRawAsync(chunk.AsMemory(0, sizeof(uint) + read), cancellationToken).ConfigureAwait(false);
        }
        while (read > 0);
    }

    /// <summary>Sends at most <see cref="MaxChunkBytes"/> as one chunk; none at all is the end of the data.</summary>
    public async ValueTask WriteChunkAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        byte[] chunk = ArrayPool<byte>.Shared.Rent(sizeof(uint) + data.Length);
        BinaryPrimitives.WriteUInt32BigEndian(chunk, (uint)data.Length);
        data.CopyTo(chunk.AsMemory(sizeof(uint)));
        try
        {
            await WriteRawAsync(chunk.AsMemory(0, sizeof(uint) + data.Length), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(chunk);
        }
    }

    /// <summary>Takes data to its end and into <paramref name="destination"/>.</summary>
    public async Task ReadDataAsync(Stream destination, CancellationToken cancellationToken)
    {
        byte[] block = new byte[MaxChunkBytes];
        while (await ReadChunkHeadAsync(cancellationToken).ConfigureAwait(false) is var left and > 0)
        {
            while (left > 0)
            {
                int read = await ReadChunkAsync(block.AsMemory(0, left), cancellationToken).ConfigureAwait(false);
                left -= read > 0 ? read : throw new EndOfStreamException("The agent ended before the data did.");
                await destination.WriteAsync(block.AsMemory(0, read), cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Reads the head of the next chunk: its bytes, zero at the end of the data.</summary>
    /// <exception cref="IOException">The connection ended before the data did, or the head is none.</exception>
    public async ValueTask<int> ReadChunkHeadAsync(CancellationToken cancellationToken)
    {
        byte[] head = new byte[sizeof(uint)];
        for (int filled = 0; filled < head.Length;)
        {
            int read = await ReadChunkAsync(head.AsMemory(filled), cancellationToken).ConfigureAwait(false);
            filled += read > 0 ? read : throw new EndOfStreamException("The other end was gone before the data had ended.");
        }

        uint length = BinaryPrimitives.ReadUInt32BigEndian(head);
        return length <= MaxChunkBytes ? (int)length : throw new IOException("A control chunk is too long.");
    }

    /// <summary>Reads bytes of a chunk, at least one unless the connection has ended.</summary>
    public async ValueTask<int> ReadChunkAsync(Memory<byte> destination, CancellationToken cancellationToken)
    {
        ReadResult result = await _reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        ReadOnlySequence<byte> taken = result.Buffer.Slice(0, Math.Min(result.Buffer.Length, destination.Length));
        int bytes = (int)taken.Length;
        taken.CopyTo(destination.Span);
        _reader.AdvanceTo(taken.End);
        return bytes;
    }

    public async ValueTask DisposeAsync()
    {
        await _reader.CompleteAsync().ConfigureAwait(false);
        await _stream.DisposeAsync().ConfigureAwait(false);
        _writing.Dispose();
    }

    private static T? Parse<T>(ReadOnlySequence<byte> line, JsonTypeInfo<T> type)
        where T : class
    {
        if (line.Length > MaxLineBytes)
        {
            throw new InvalidDataException("A control line is too long.");
        }

        try
        {
            var reader = new Utf8JsonReader(line);
            return JsonSerializer.Deserialize(ref reader, type) ?? throw new InvalidDataException("A control line is null.");
        }
        catch (Exception e) when (e is JsonException or NotSupportedException)
        {
            throw new InvalidDataException("A control line is not what was expected: are both ends of one version?", e);
        }
    }

    private async Task WriteRawAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await _stream.WriteAsync(bytes, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _writing.Release();
        }
    }
}
