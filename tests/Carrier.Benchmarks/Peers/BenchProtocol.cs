using System.Buffers.Binary;
using Carrier.Benchmarks.Measuring;

namespace Carrier.Benchmarks.Peers;

/// <summary>What the client asks of the server on a stream.</summary>
/// <remarks>
/// <code>
/// sink   'S' | length 8            then length bytes; answered by the server's CPU time for them, nanoseconds, 8
/// echo   'E' | message bytes 8     then messages, each sent back, until the stream ends
/// count  'C' | zero 8              then bytes until the stream ends; answered by how many they were, 8
/// </code>
/// Numbers are little-endian.
/// </remarks>
internal static class BenchProtocol
{
    public const int RequestBytes = 1 + sizeof(long);
    public const int ChunkBytes = 256 * 1024;

    private const byte Sink = (byte)'S';
    private const byte Echo = (byte)'E';
    private const byte Count = (byte)'C';

    public static Task WriteSinkAsync(Stream stream, long bytes) => WriteAsync(stream, Sink, bytes);

    public static Task WriteEchoAsync(Stream stream, int messageBytes) => WriteAsync(stream, Echo, messageBytes);

    /// <summary>Asks for an echo and sends the first message in one write.</summary>
    public static async Task WriteEchoOfAsync(Stream stream, ReadOnlyMemory<byte> message)
    {
        byte[] first = new byte[RequestBytes + message.Length];
        first[0] = Echo;
        BinaryPrimitives.WriteInt64LittleEndian(first.AsSpan(1), message.Length);
        message.CopyTo(first.AsMemory(RequestBytes));
        await stream.WriteAsync(first);
        await stream.FlushAsync();
    }

    public static Task WriteCountAsync(Stream stream) => WriteAsync(stream, Count, 0);

    /// <summary>Ends what is counted; returns what the server counted once it has all.</summary>
    public static async Task<long> EndCountAsync(CarrierStream stream)
    {
        await stream.Output.CompleteAsync();
        byte[] answer = new byte[sizeof(long)];
        await stream.Input.AsStream().ReadExactlyAsync(answer);
        await stream.DisposeAsync();
        return BinaryPrimitives.ReadInt64LittleEndian(answer);
    }

    public static async Task<double> ReadCpuSecondsAsync(Stream stream)
    {
        byte[] answer = new byte[sizeof(long)];
        await stream.ReadExactlyAsync(answer);
        return BinaryPrimitives.ReadInt64LittleEndian(answer) / 1e9;
    }

    /// <summary>Serves one stream until the client ends it.</summary>
    public static async Task ServeAsync(Stream stream)
    {
        byte[] request = new byte[RequestBytes];
        while (await stream.ReadAtLeastAsync(request, RequestBytes, throwOnEndOfStream: false) == RequestBytes)
        {
            long number = BinaryPrimitives.ReadInt64LittleEndian(request.AsSpan(1));
            switch (request[0])
            {
                case Sink:
                    await ServeSinkAsync(stream, number);
                    break;
                case Count:
                    await ServeCountAsync(stream);
                    break;
                default:
                    await ServeEchoAsync(stream, (int)number);
                    break;
            }
        }
    }

    private static async Task WriteAsync(Stream stream, byte kind, long number)
    {
        byte[] request = new byte[RequestBytes];
        request[0] = kind;
        BinaryPrimitives.WriteInt64LittleEndian(request.AsSpan(1), number);
        await stream.WriteAsync(request);
        await stream.FlushAsync();
    }

    private static async Task ServeSinkAsync(Stream stream, long bytes)
    {
        double before = CpuClock.Seconds;
        byte[] buffer = new byte[ChunkBytes];
        while (bytes > 0)
        {
            int read = await stream.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, bytes)));
            if (read == 0)
            {
                return;
            }

            bytes -= read;
        }

        byte[] answer = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(answer, (long)((CpuClock.Seconds - before) * 1e9));
        await stream.WriteAsync(answer);
        await stream.FlushAsync();
    }

    private static async Task ServeCountAsync(Stream stream)
    {
        byte[] buffer = new byte[ChunkBytes];
        long bytes = 0;
        for (int read; (read = await stream.ReadAsync(buffer)) > 0; bytes += read)
        {
        }

        byte[] answer = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(answer, bytes);
        await stream.WriteAsync(answer);
    }

    private static async Task ServeEchoAsync(Stream stream, int messageBytes)
    {
        byte[] message = new byte[messageBytes];
        while (await stream.ReadAtLeastAsync(message, messageBytes, throwOnEndOfStream: false) == messageBytes)
        {
            await stream.WriteAsync(message);
            await stream.FlushAsync();
        }
    }
}
