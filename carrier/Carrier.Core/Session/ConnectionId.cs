using System.Buffers.Binary;
using System.Globalization;

namespace Carrier.Core.Session;

/// <summary>Eight random bytes, big-endian in <paramref name="Value"/>, that tell a node which session a packet belongs to, wherever it came from.</summary>
/// <remarks>Chosen by the receiver (RFC 9000 §5.1). Zero is never issued and means "none".</remarks>
public readonly record struct ConnectionId(ulong Value)
{
    public const int Bytes = sizeof(ulong);

    public bool IsNone => Value == 0;

    public static ConnectionId Read(ReadOnlySpan<byte> source) => new(BinaryPrimitives.ReadUInt64BigEndian(source));

    /// <summary>Draws one that is not <see cref="IsNone"/>.</summary>
    public static ConnectionId Next(RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(random);
        ulong value;
        do
        {
            value = random.NextUInt64();
        }
        while (value == 0);

        return new(value);
    }

    public void Write(Span<byte> destination) => BinaryPrimitives.WriteUInt64BigEndian(destination, Value);

    public override string ToString() => Value.ToString("x16", CultureInfo.InvariantCulture);
}
