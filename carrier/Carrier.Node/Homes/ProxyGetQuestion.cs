using Carrier.Core.Crypto;
using Carrier.Core.Wire;
using Carrier.Dht.Routing;

namespace Carrier.Node.Homes;

/// <summary>The body of <c>proxy get</c>: look up in the DHT for a device registered here, which has no route to nodes of one family.</summary>
/// <remarks>
/// <code>
/// { 1: the device's exchange key (32 bytes), 2: target (20 bytes), 3: records to skip, known from answers before (uint, at most 255) }
/// </code>
/// Unknown keys are skipped.
/// </remarks>
public readonly record struct ProxyGetQuestion(PublicKey Device, DhtKey Target, byte Skip)
{
    /// <summary>The longest body encoded.</summary>
    public const int MaxBytes = 1 + 1 + 2 + PublicKey.Bytes + 1 + 1 + DhtKey.Bytes + 1 + 2;

    /// <summary>Returns the bytes written, zero when the destination is too short.</summary>
    public int Encode(Span<byte> destination)
    {
        Span<byte> target = stackalloc byte[DhtKey.Bytes];
        Target.CopyTo(target);
        CborWriter writer = new(destination);
        writer.WriteMap(3);
        writer.WriteUInt(1);
        writer.WriteBytes(Device.Span);
        writer.WriteUInt(2);
        writer.WriteBytes(target);
        writer.WriteUInt(3);
        writer.WriteUInt(Skip);
        return writer.Encoded.Length;
    }

    public static bool TryParse(ReadOnlySpan<byte> body, out ProxyGetQuestion question)
    {
        question = default;
        CborReader reader = new(body);
        if (!reader.TryReadMap(out int pairs))
        {
            return false;
        }

        ReadOnlySpan<byte> device = default;
        ReadOnlySpan<byte> target = default;
        ulong skip = 0;
        (int key, int known) = (-1, 0);
        for (int i = 0; i < pairs; i++)
        {
            bool read = reader.TryReadKey(ref key) && key switch
            {
                1 => reader.TryReadBytes(PublicKey.Bytes, out device),
                2 => reader.TryReadBytes(DhtKey.Bytes, out target),
                3 => reader.TryReadUInt(out skip) && skip <= byte.MaxValue,
                _ => reader.TrySkip(),
            };
            if (!read)
            {
                return false;
            }

            known += key is >= 1 and <= 3 ? 1 : 0;
        }

        bool sound = reader.AtEnd && known == 3;
        question = sound ? new(new PublicKey(device), new DhtKey(target), (byte)skip) : default;
        return sound;
    }
}
