using Carrier.Core.Wire;
using Carrier.Nat;

namespace Carrier.Node.Homes;

/// <summary>The body of <c>knock</c>: send one STUN answer to another port of the address this question comes from.</summary>
/// <remarks>
/// <code>
/// { 1: port (uint, 1..65535), 2: STUN transaction id (12 bytes), 3: from where (uint: 0 the home's own port, 1 another port of its) }
/// </code>
/// Unknown keys are skipped. What the asker's NAT lets in is learnt by what arrives (RFC 5780 §4.4). Only the port can be chosen: the address has proven by its token that it asks.
/// </remarks>
public readonly ref struct KnockQuestion
{
    /// <summary>The longest body encoded.</summary>
    public const int MaxBytes = 24;

    public ushort Port { get; init; }

    public ReadOnlySpan<byte> TransactionId { get; init; }

    public bool FromOtherPort { get; init; }

    /// <summary>Returns the bytes written, zero when the destination is too short.</summary>
    public int Encode(Span<byte> destination)
    {
        CborWriter writer = new(destination);
        writer.WriteMap(3);
        writer.WriteUInt(1);
        writer.WriteUInt(Port);
        writer.WriteUInt(2);
        writer.WriteBytes(TransactionId);
        writer.WriteUInt(3);
        writer.WriteUInt(FromOtherPort ? 1UL : 0);
        return writer.Encoded.Length;
    }

    public static bool TryParse(ReadOnlySpan<byte> body, out KnockQuestion question)
    {
        question = default;
        CborReader reader = new(body);
        if (!reader.TryReadMap(out int pairs))
        {
            return false;
        }

        (ulong port, ulong from) = (0, 0);
        ReadOnlySpan<byte> transaction = default;
        (int key, int known) = (-1, 0);
        for (int i = 0; i < pairs; i++)
        {
            bool read = reader.TryReadKey(ref key) && key switch
            {
                1 => reader.TryReadUInt(out port) && port is > 0 and <= ushort.MaxValue,
                2 => reader.TryReadBytes(StunMessage.TransactionIdBytes, out transaction),
                3 => reader.TryReadUInt(out from) && from <= 1,
                _ => reader.TrySkip(),
            };
            if (!read)
            {
                return false;
            }

            known += key is >= 1 and <= 3 ? 1 : 0;
        }

        question = new() { Port = (ushort)port, TransactionId = transaction, FromOtherPort = from == 1 };
        return reader.AtEnd && known == 3;
    }
}
