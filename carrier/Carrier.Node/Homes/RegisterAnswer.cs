using Carrier.Core;
using Carrier.Core.Wire;

namespace Carrier.Node.Homes;

/// <summary>How a home took a register or unregister question. Values are on the wire: never renumber.</summary>
public enum RegisterStatus
{
    Done = 0,

    /// <summary>Delegation or signature did not verify.</summary>
    BadProof = 1,

    /// <summary>The time signed is too far from the home's, which the answer tells: sign again with that.</summary>
    ClockSkew = 2,

    /// <summary>The device's network or owner holds too many registrations here.</summary>
    OverQuota = 3,

    /// <summary>The home takes no more.</summary>
    Full = 4,
}

/// <summary>The answer to <c>register</c> and <c>unregister</c>.</summary>
/// <remarks>
/// <code>
/// { 1: status (uint), 2: lease in seconds (uint), 3: observed endpoint (bytes), 4: the home's unix time (uint) }
/// </code>
/// All four are there in every answer. Unknown keys are skipped; a status yet unknown counts as a refusal.
/// </remarks>
public readonly record struct RegisterAnswer(RegisterStatus Status, TimeSpan Lease, Endpoint Observed, UnixTime HomeTime)
{
    /// <summary>The longest body encoded; shorter than any question.</summary>
    public const int MaxBytes = 48;

    private const int MaxLeaseSeconds = 86_400;

    /// <summary>Returns the bytes written, zero when the destination is too short.</summary>
    public int Encode(Span<byte> destination)
    {
        CborWriter writer = new(destination);
        writer.WriteMap(4);
        writer.WriteUInt(1);
        writer.WriteUInt((ulong)Status);
        writer.WriteUInt(2);
        writer.WriteUInt((ulong)Lease.TotalSeconds);
        writer.WriteUInt(3);
        writer.WriteEndpoint(Observed);
        writer.WriteUInt(4);
        writer.WriteUInt((ulong)Math.Max(0, HomeTime.Seconds));
        return writer.Encoded.Length;
    }

    public static bool TryParse(ReadOnlySpan<byte> body, out RegisterAnswer answer)
    {
        answer = default;
        CborReader reader = new(body);
        if (!reader.TryReadMap(out int pairs))
        {
            return false;
        }

        (ulong status, ulong lease, ulong time, Endpoint observed) = (0, 0, 0, default);
        (int key, int known) = (-1, 0);
        for (int i = 0; i < pairs; i++)
        {
            bool read = reader.TryReadKey(ref key) && key switch
            {
                1 => reader.TryReadUInt(out status) && status <= byte.MaxValue,
                2 => reader.TryReadUInt(out lease) && lease <= MaxLeaseSeconds,
                3 => reader.TryReadEndpoint(out observed),
                4 => reader.TryReadUInt(out time) && time <= uint.MaxValue,
                _ => reader.TrySkip(),
            };
            if (!read)
            {
                return false;
            }

            known += key is >= 1 and <= 4 ? 1 : 0;
        }

        answer = new((RegisterStatus)status, TimeSpan.FromSeconds(lease), observed, new((long)time));
        return reader.AtEnd && known == 4;
    }
}
