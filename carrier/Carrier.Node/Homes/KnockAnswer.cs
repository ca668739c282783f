using Carrier.Core.Wire;

namespace Carrier.Node.Homes;

/// <summary>How a home took a knock question. Values are on the wire: never renumber.</summary>
public enum KnockStatus
{
    /// <summary>It was sent, or will be.</summary>
    Sent = 0,

    /// <summary>The asker's network asks too often.</summary>
    OverQuota = 1,

    /// <summary>Later, and not to somebody who is not registered here, or elsewhere than where he asks from.</summary>
    NotRegistered = 2,
}

/// <summary>The answer to <c>knock</c> and <c>knock later</c>: <c>{ 1: status (uint) }</c>. Unknown keys are skipped; a status yet unknown counts as a refusal.</summary>
public readonly record struct KnockAnswer(KnockStatus Status)
{
    /// <summary>The longest body encoded.</summary>
    public const int MaxBytes = 4;

    /// <summary>Returns the bytes written, zero when the destination is too short.</summary>
    public int Encode(Span<byte> destination)
    {
        CborWriter writer = new(destination);
        writer.WriteMap(1);
        writer.WriteUInt(1);
        writer.WriteUInt((ulong)Status);
        return writer.Encoded.Length;
    }

    public static bool TryParse(ReadOnlySpan<byte> body, out KnockAnswer answer)
    {
        answer = default;
        CborReader reader = new(body);
        if (!reader.TryReadMap(out int pairs))
        {
            return false;
        }

        ulong status = 0;
        (int key, bool known) = (-1, false);
        for (int i = 0; i < pairs; i++)
        {
            if (!reader.TryReadKey(ref key) || !(key == 1 ? reader.TryReadUInt(out status) && status <= byte.MaxValue : reader.TrySkip()))
            {
                return false;
            }

            known |= key == 1;
        }

        answer = new((KnockStatus)status);
        return reader.AtEnd && known;
    }
}
