using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using Carrier.Core.Wire;

namespace Carrier.Agent.Transfer;

/// <summary>The framing of <c>carrier/files/1</c> over one stream: length-prefixed messages, and the chunked data of an entry.</summary>
/// <remarks>
/// <code>
///  message  varint length ‖ CBOR
///  data     ( varint length 1 … 1,048,576 ‖ bytes )*  00  SHA-256 of the whole entry, 32 bytes
/// </code>
/// Reading and writing may go on at one time, each by one caller. The pipe stays its owner's to complete.
/// </remarks>
internal sealed class TransferPipe(IDuplexPipe pipe)
{
    /// <summary>What is gathered before a slow peer's data is handed on.</summary>
    private const int SmallBlockBytes = 64 * 1024;

    private const int ChunkHeadBytes = 4;

    private int _chunkLeft;
    private bool _dataEnded = true;

    /// <summary>Writes and flushes one message.</summary>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        WriteFramed(message.Span);
        await FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    public ValueTask WriteAsync(Notice notice, CancellationToken cancellationToken)
    {
        Span<byte> encoded = stackalloc byte[TransferLimits.MaxNoticeBytes];
        WriteFramed(encoded[..notice.Write(encoded)]);
        return FlushAsync(cancellationToken);
    }

    /// <summary>Reads one message of at most <paramref name="maxBytes"/>; null at the end of the stream.</summary>
    public async ValueTask<byte[]?> TryReadAsync(int maxBytes, CancellationToken cancellationToken)
    {
        while (true)
        {
            ReadResult result = await ReadPipeAsync(cancellationToken).ConfigureAwait(false);
            ReadOnlySequence<byte> buffer = result.Buffer;
            bool read = TryTakeMessage(ref buffer, maxBytes, out byte[] message);
            pipe.Input.AdvanceTo(buffer.Start, read ? buffer.Start : buffer.End);
            if (read)
            {
                return message;
            }

            if (result.IsCompleted)
            {
                return buffer.IsEmpty ? null : throw new TransferException(FailureReason.Interrupted);
            }
        }
    }

    /// <summary>Puts one chunk on its way: <paramref name="source"/> is read straight into the pipe. Returns its bytes, zero at the end of the source.</summary>
    /// <param name="take">Sees the bytes before they go: the hash.</param>
    public async ValueTask<int> WriteChunkAsync(Stream source, int maxBytes, Action<ReadOnlySpan<byte>> take, CancellationToken cancellationToken)
    {
        Memory<byte> memory = pipe.Output.GetMemory(ChunkHeadBytes + maxBytes);
        int read = await source.ReadAsync(memory.Slice(ChunkHeadBytes, maxBytes), cancellationToken).ConfigureAwait(false);
        if (read == 0)
        {
            return 0;
        }

        take(memory.Span.Slice(ChunkHeadBytes, read));
        // Always the four-byte form, so that the head has its place before the length is known.
        BinaryPrimitives.WriteUInt32BigEndian(memory.Span, 0x8000_0000u | (uint)read);
        pipe.Output.Advance(ChunkHeadBytes + read);
        await FlushAsync(cancellationToken).ConfigureAwait(false);
        return read;
    }

    /// <summary>Ends an entry's data with its hash.</summary>
    public ValueTask WriteEndAsync(ReadOnlySpan<byte> sha256, CancellationToken cancellationToken)
    {
        pipe.Output.Write((ReadOnlySpan<byte>)[0]);
        pipe.Output.Write(sha256);
        return FlushAsync(cancellationToken);
    }

    /// <summary>Says that data follows, to be read with <see cref="ReadDataAsync"/> until it returns zero.</summary>
    public void BeginData()
    {
        _chunkLeft = 0;
        _dataEnded = false;
    }

    /// <summary>Fills <paramref name="block"/> with data, or as much as a slow peer has sent; zero once the data has ended.</summary>
    public async ValueTask<int> ReadDataAsync(Memory<byte> block, CancellationToken cancellationToken)
    {
        int filled = 0;
        while (filled < block.Length && !_dataEnded)
        {
            if (!TryReadPipe(out ReadResult result))
            {
                if (filled >= SmallBlockBytes)
                {
                    break;
                }

                result = await ReadPipeAsync(cancellationToken).ConfigureAwait(false);
            }

            ReadOnlySequence<byte> buffer = result.Buffer;
            int taken = TakeData(ref buffer, block.Span[filled..]);
            filled += taken;
            bool wantsMore = filled < block.Length && !_dataEnded;
            pipe.Input.AdvanceTo(buffer.Start, wantsMore ? buffer.End : buffer.Start);
            if (wantsMore && (result.IsCompleted || result.IsCanceled))
            {
                throw new TransferException(FailureReason.Interrupted);
            }
        }

        return filled;
    }

    /// <summary>Reads exactly <paramref name="destination"/>: the hash behind the data.</summary>
    public async ValueTask ReadExactlyAsync(Memory<byte> destination, CancellationToken cancellationToken)
    {
        while (true)
        {
            ReadResult result = await ReadPipeAsync(cancellationToken).ConfigureAwait(false);
            ReadOnlySequence<byte> buffer = result.Buffer;
            if (buffer.Length >= destination.Length)
            {
                buffer.Slice(0, destination.Length).CopyTo(destination.Span);
                pipe.Input.AdvanceTo(buffer.GetPosition(destination.Length));
                return;
            }

            pipe.Input.AdvanceTo(buffer.Start, buffer.End);
            if (result.IsCompleted)
            {
                throw new TransferException(FailureReason.Interrupted);
            }
        }
    }

    private int TakeData(ref ReadOnlySequence<byte> buffer, Span<byte> block)
    {
        int filled = 0;
        while (filled < block.Length)
        {
            if (_chunkLeft == 0)
            {
                if (!TryTakeLength(ref buffer, TransferLimits.MaxChunkBytes, out _chunkLeft))
                {
                    break;
                }

                if (_chunkLeft == 0)
                {
                    _dataEnded = true;
                    break;
                }
            }

            int take = (int)Math.Min(Math.Min(_chunkLeft, block.Length - filled), buffer.Length);
            if (take == 0)
            {
                break;
            }

            buffer.Slice(0, take).CopyTo(block[filled..]);
            buffer = buffer.Slice(take);
            filled += take;
            _chunkLeft -= take;
        }

        return filled;
    }

    private static bool TryTakeMessage(ref ReadOnlySequence<byte> buffer, int maxBytes, out byte[] message)
    {
        message = [];
        ReadOnlySequence<byte> rest = buffer;
        if (!TryTakeLength(ref rest, maxBytes, out int length) || rest.Length < length)
        {
            return false;
        }

        message = rest.Slice(0, length).ToArray();
        buffer = rest.Slice(length);
        return true;
    }

    private static bool TryTakeLength(ref ReadOnlySequence<byte> buffer, int max, out int length)
    {
        length = 0;
        Span<byte> head = stackalloc byte[8];
        int available = (int)Math.Min(head.Length, buffer.Length);
        buffer.Slice(0, available).CopyTo(head);
        ReadOnlySpan<byte> rest = head[..available];
        if (!Varint.TryRead(ref rest, out ulong value))
        {
            return false;
        }

        if (value > (ulong)max)
        {
            throw new TransferException(FailureReason.Violation);
        }

        length = (int)value;
        buffer = buffer.Slice(available - rest.Length);
        return true;
    }

    private void WriteFramed(ReadOnlySpan<byte> message)
    {
        Span<byte> head = stackalloc byte[8];
        pipe.Output.Write(head[..Varint.Write(head, (ulong)message.Length)]);
        pipe.Output.Write(message);
    }

    private bool TryReadPipe(out ReadResult result)
    {
        try
        {
            return pipe.Input.TryRead(out result);
        }
        catch (Exception e)
        {
            throw new TransferException(FailureReason.Interrupted, e);
        }
    }

    private async ValueTask<ReadResult> ReadPipeAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await pipe.Input.ReadAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // Whatever the stream under us throws when its session breaks, to a transfer it is one thing.
            throw new TransferException(FailureReason.Interrupted, e);
        }
    }

    private async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        FlushResult result;
        try
        {
            result = await pipe.Output.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw new TransferException(FailureReason.Interrupted, e);
        }

        if (result.IsCompleted)
        {
            throw new TransferException(FailureReason.Interrupted);
        }
    }
}
