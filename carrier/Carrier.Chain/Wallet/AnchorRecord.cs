using Carrier.Chain.Transactions;

namespace Carrier.Chain.Wallet;

/// <summary>A Record that anchors a hash: type <c>carrier-anchor</c>, content version 1 and SHA-256.</summary>
/// <remarks>
/// <code>
///  type     63617272696572 2d616e63686f72          "carrier-anchor"
///  content  01 | sha-256 32
/// </code>
/// </remarks>
public static class AnchorRecord
{
    private const byte Version = 1;
    private const int HashBytes = 32;

    private static ReadOnlySpan<byte> Type => "carrier-anchor"u8;

    public static RecordPayload Of(ReadOnlySpan<byte> sha256)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(sha256.Length, HashBytes);
        return new RecordPayload(Type.ToArray(), (byte[])[Version, .. sha256]);
    }

    /// <summary>True when the transaction anchors this hash.</summary>
    public static bool Matches(Transaction transaction, ReadOnlySpan<byte> sha256) => RecordPayload.TryRead(transaction, out RecordPayload record)
        && record.Type.Span.SequenceEqual(Type)
        && record.Content.Length == 1 + HashBytes
        && record.Content.Span[0] == Version
        && record.Content.Span[1..].SequenceEqual(sha256);
}
