using Carrier.Core.Wire;

namespace Carrier.Node.Homes;

/// <summary>The body of an answer to <c>proxy put</c>: <c>{ 1: how many nodes keep the record now (uint, at most 255) }</c>. Unknown keys are skipped.</summary>
public readonly record struct ProxyPutAnswer(byte Stored)
{
    /// <summary>The longest body encoded.</summary>
    public const int MaxBytes = 4;

    /// <summary>Returns the bytes written, zero when the destination is too short.</summary>
    public int Encode(Span<byte> destination)
    {
        CborWriter writer = new(destination);
        writer.WriteMap(1);
        writer.WriteUInt(1);
        writer.WriteUInt(Stored);
        return writer.Encoded.Length;
    }

    public static bool TryParse(ReadOnlySpan<byte> body, out ProxyPutAnswer answer)
    {
        answer = default;
        CborReader reader = new(body);
        if (!reader.TryReadMap(out int pairs))
        {
            return false;
        }

        ulong stored = 0;
        (int key, bool known) = (-1, false);
        for (int i = 0; i < pairs; i++)
        {
            if (!reader.TryReadKey(ref key) || !(key == 1 ? reader.TryReadUInt(out stored) && stored <= byte.MaxValue : reader.TrySkip()))
            {
                return false;
            }

            known |= key == 1;
        }

        answer = new((byte)stored);
        return reader.AtEnd && known;
    }
}
