using Carrier.Core.Crypto;
using Carrier.Core.Wire;

namespace Carrier.Node.Homes;

/// <summary>The body of <c>connect</c>: open a relay channel to a registered device and hand it the first datagram.</summary>
/// <remarks>
/// <code>
/// { 1: the target's exchange key (32 bytes), 2: the first datagram (bytes, opening with 0x50, or 0x60 or 0x61) }
/// </code>
/// Unknown keys are skipped. The datagram is a handshake initiation, or a packet of a session whose ends lost each other. The dialler's candidates travel inside the initiation, encrypted to the target; the home learns and tells neither
/// side's addresses.
/// </remarks>
public readonly ref struct ConnectQuestion
{
    /// <summary>What fits beside the rest of a sealed question in 1,400 bytes; such an initiation is not padded, the question already is.</summary>
    public const int MaxFirstBytes = 1100;

    /// <summary>The longest body encoded.</summary>
    public const int MaxBytes = MaxFirstBytes + PublicKey.Bytes + 16;

    public PublicKey Target { get; init; }

    public ReadOnlySpan<byte> First { get; init; }

    /// <summary>Returns the bytes written, zero when the destination is too short.</summary>
    public int Encode(Span<byte> destination)
    {
        CborWriter writer = new(destination);
        writer.WriteMap(2);
        writer.WriteUInt(1);
        writer.WriteBytes(Target.Span);
        writer.WriteUInt(2);
        writer.WriteBytes(First);
        return writer.Encoded.Length;
    }

    public static bool TryParse(ReadOnlySpan<byte> body, out ConnectQuestion question)
    {
        question = default;
        CborReader reader = new(body);
        if (!reader.TryReadMap(out int pairs))
        {
            return false;
        }

        ReadOnlySpan<byte> target = default;
        ReadOnlySpan<byte> first = default;
        int key = -1;
        for (int i = 0; i < pairs; i++)
        {
            bool read = reader.TryReadKey(ref key) && key switch
            {
                1 => reader.TryReadBytes(PublicKey.Bytes, out target),
                2 => reader.TryReadBytes(out first),
                _ => reader.TrySkip(),
            };
            if (!read)
            {
                return false;
            }
        }

        bool sound = reader.AtEnd && !target.IsEmpty && first.Length is > 0 and <= MaxFirstBytes
            && (PacketKind)first[0] is PacketKind.HandshakeInitiation or PacketKind.SessionPhase0 or PacketKind.SessionPhase1;
        if (sound)
        {
            question = new() { Target = new(target), First = first };
        }

        return sound;
    }
}
