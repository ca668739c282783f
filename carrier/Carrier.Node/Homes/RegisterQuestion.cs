using Carrier.Core;
using Carrier.Core.Wire;

namespace Carrier.Node.Homes;

/// <summary>The body of <c>register</c> and <c>unregister</c>.</summary>
/// <remarks>
/// <code>
/// { 1: delegation (bytes), 2: unix time (uint), 3: signature over HomeProof (64 bytes) }
/// </code>
/// Unknown keys are skipped. The device's endpoint is not in it: the home takes the source of the question, which the address token proves.
/// </remarks>
public readonly ref struct RegisterQuestion
{
    public const int MaxDelegationBytes = 512;

    /// <summary>The longest body encoded.</summary>
    public const int MaxBytes = MaxDelegationBytes + HomeProof.SignatureBytes + 24;

    public ReadOnlySpan<byte> Delegation { get; init; }

    public UnixTime Time { get; init; }

    public ReadOnlySpan<byte> Signature { get; init; }

    /// <summary>Returns the bytes written, zero when the destination is too short or the delegation too long.</summary>
    public int Encode(Span<byte> destination)
    {
        if (Delegation.Length > MaxDelegationBytes)
        {
            return 0;
        }

        CborWriter writer = new(destination);
        writer.WriteMap(3);
        writer.WriteUInt(1);
        writer.WriteBytes(Delegation);
        writer.WriteUInt(2);
        writer.WriteUInt((ulong)Math.Max(0, Time.Seconds));
        writer.WriteUInt(3);
        writer.WriteBytes(Signature);
        return writer.Encoded.Length;
    }

    public static bool TryParse(ReadOnlySpan<byte> body, out RegisterQuestion question)
    {
        question = default;
        CborReader reader = new(body);
        if (!reader.TryReadMap(out int pairs))
        {
            return false;
        }

        ReadOnlySpan<byte> delegation = default;
        ReadOnlySpan<byte> signature = default;
        ulong? time = null;
        int key = -1;
        for (int i = 0; i < pairs; i++)
        {
            ulong seconds = 0;
            bool read = reader.TryReadKey(ref key) && key switch
            {
                1 => reader.TryReadBytes(out delegation),
                2 => reader.TryReadUInt(out seconds) && seconds <= long.MaxValue,
                3 => reader.TryReadBytes(HomeProof.SignatureBytes, out signature),
                _ => reader.TrySkip(),
            };
            if (!read)
            {
                return false;
            }

            time = key == 2 ? seconds : time;
        }

        if (!reader.AtEnd || time is null || signature.IsEmpty || delegation.Length is 0 or > MaxDelegationBytes)
        {
            return false;
        }

        question = new() { Delegation = delegation, Time = new((long)time), Signature = signature };
        return true;
    }
}
