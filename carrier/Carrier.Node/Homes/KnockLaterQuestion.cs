using Carrier.Core.Crypto;
using Carrier.Core.Wire;
using Carrier.Nat;

namespace Carrier.Node.Homes;

/// <summary>The body of <c>knock later</c>: send one STUN answer to where this question comes from, after a while, if the device is still registered there.</summary>
/// <remarks>
/// <code>
/// { 1: the device's exchange key (32 bytes), 2: STUN transaction id (12 bytes), 3: delay in seconds (uint, 1..30) }
/// </code>
/// Unknown keys are skipped. What arrives passed a mapping that the asker's NAT kept for so long (RFC 5780 §4.6). Neither address nor port can be chosen.
/// </remarks>
public readonly ref struct KnockLaterQuestion
{
    /// <summary>The longest body encoded.</summary>
    public const int MaxBytes = 1 + 1 + 2 + PublicKey.Bytes + 1 + 1 + StunMessage.TransactionIdBytes + 1 + 2;

    /// <summary>The longest silence a device tries: <see cref="MappingLifetime.Longest"/> times <see cref="MappingLifetime.Margin"/>.</summary>
    public const int MaxDelaySeconds = 30;

    public PublicKey Device { get; init; }

    public ReadOnlySpan<byte> TransactionId { get; init; }

    public int DelaySeconds { get; init; }

    /// <summary>Returns the bytes written, zero when the destination is too short.</summary>
    public int Encode(Span<byte> destination)
    {
        CborWriter writer = new(destination);
        writer.WriteMap(3);
        writer.WriteUInt(1);
        writer.WriteBytes(Device.Span);
        writer.WriteUInt(2);
        writer.WriteBytes(TransactionId);
        writer.WriteUInt(3);
        writer.WriteUInt((ulong)DelaySeconds);
        return writer.Encoded.Length;
    }

    public static bool TryParse(ReadOnlySpan<byte> body, out KnockLaterQuestion question)
    {
        question = default;
        CborReader reader = new(body);
        if (!reader.TryReadMap(out int pairs))
        {
            return false;
        }

        ReadOnlySpan<byte> device = default;
        ReadOnlySpan<byte> transaction = default;
        ulong delay = 0;
        (int key, int known) = (-1, 0);
        for (int i = 0; i < pairs; i++)
        {
            bool read = reader.TryReadKey(ref key) && key switch
            {
                1 => reader.TryReadBytes(PublicKey.Bytes, out device),
                2 => reader.TryReadBytes(StunMessage.TransactionIdBytes, out transaction),
                3 => reader.TryReadUInt(out delay) && delay is > 0 and <= MaxDelaySeconds,
                _ => reader.TrySkip(),
            };
            if (!read)
            {
                return false;
            }

            known += key is >= 1 and <= 3 ? 1 : 0;
        }

        if (!reader.AtEnd || known != 3)
        {
            return false;
        }

        question = new() { Device = new(device), TransactionId = transaction, DelaySeconds = (int)delay };
        return true;
    }
}
