using System.Buffers;
using System.IO.Pipelines;
using Carrier.Core.Wire;

namespace Carrier.Agent.Tunnels;

/// <summary>Length-prefixed messages on a tunnel's stream: requests, answers, and datagrams too large for a session datagram.</summary>
internal static class Framing
{
    private const int MaxPrefixBytes = 8;

    /// <summary>Puts <c>varint length ‖ body</c> into the pipe, unflushed.</summary>
    public static void Write(PipeWriter output, ReadOnlySpan<byte> body)
    {
        Span<byte> room = output.GetSpan(MaxPrefixBytes + body.Length);
        int prefix = Varint.Write(room, (ulong)body.Length);
        body.CopyTo(room[prefix..]);
        output.Advance(prefix + body.Length);
    }

    /// <summary>Takes one message off the front of <paramref name="buffer"/>.</summary>
    public static FramingResult TryTake(ref ReadOnlySequence<byte> buffer, int maxBytes, out ReadOnlySequence<byte> body)
    {
        body = default;
        Span<byte> front = stackalloc byte[(int)Math.Min(MaxPrefixBytes, buffer.Length)];
        buffer.Slice(0, front.Length).CopyTo(front);
        ReadOnlySpan<byte> rest = front;
        if (!Varint.TryRead(ref rest, out ulong length))
        {
            return FramingResult.Incomplete;
        }

        if (length > (ulong)maxBytes)
        {
            return FramingResult.TooLong;
        }

        int prefix = front.Length - rest.Length;
        if (buffer.Length < prefix + (long)length)
        {
            return FramingResult.Incomplete;
        }

        body = buffer.Slice(prefix, (long)length);
        buffer = buffer.Slice(body.End);
        return FramingResult.Taken;
    }

    /// <summary>Reads one message; null where the stream ends before it, or it is longer than <paramref name="maxBytes"/>.</summary>
    /// <exception cref="IOException">The stream was cut off.</exception>
    public static async ValueTask<byte[]?> TryReadAsync(PipeReader input, int maxBytes, CancellationToken cancellationToken)
    {
        while (true)
        {
            ReadResult result = await input.ReadAsync(cancellationToken).ConfigureAwait(false);
            ReadOnlySequence<byte> buffer = result.Buffer;
            FramingResult taken = TryTake(ref buffer, maxBytes, out ReadOnlySequence<byte> body);
            byte[]? message = taken == FramingResult.Taken ? body.ToArray() : null;
            input.AdvanceTo(buffer.Start, message is null ? buffer.End : buffer.Start);
            if (message is not null || taken == FramingResult.TooLong || result.IsCompleted)
            {
                return message;
            }
        }
    }
}

internal enum FramingResult
{
    Taken,
    Incomplete,
    TooLong,
}
