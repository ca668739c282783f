using System.Buffers.Binary;

namespace Carrier.Benchmarks.Links;

/// <summary>What a sender asks of a receiver on its stream, and the content both know.</summary>
/// <remarks><code>request: bytes 8, or 0 for without end | milliseconds 8, or 0 for until the end</code>Little-endian. The content follows; one line of JSON answers.</remarks>
internal static class LinkProtocol
{
    public const string Name = "bench-link/1";
    public const int RequestBytes = 2 * sizeof(long);
    public const int ChunkBytes = 65_536;

    private const int PatternBytes = 65_521;

    // Twice over, so that a chunk from any place in it is one span.
    private static readonly byte[] Pattern = MakePattern();

    public static ReadOnlyMemory<byte> ContentAt(long offset, int bytes) => Pattern.AsMemory((int)(offset % PatternBytes), bytes);

    public static byte[] Request(long bytes, TimeSpan time)
    {
        byte[] request = new byte[RequestBytes];
        BinaryPrimitives.WriteInt64LittleEndian(request, bytes);
        BinaryPrimitives.WriteInt64LittleEndian(request.AsSpan(sizeof(long)), (long)time.TotalMilliseconds);
        return request;
    }

    public static (long Bytes, TimeSpan Time) Read(ReadOnlySpan<byte> request) =>
        (BinaryPrimitives.ReadInt64LittleEndian(request), TimeSpan.FromMilliseconds(BinaryPrimitives.ReadInt64LittleEndian(request[sizeof(long)..])));

    private static byte[] MakePattern()
    {
        byte[] pattern = new byte[PatternBytes + ChunkBytes];
        uint state = 1;
        for (int i = 0; i < pattern.Length; i++)
        {
            state = (state * 1_664_525) + 1_013_904_223;
            pattern[i] = i < PatternBytes ? (byte)(state >> 24) : pattern[i - PatternBytes];
        }

        return pattern;
    }
}
