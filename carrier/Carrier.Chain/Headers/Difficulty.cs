using System.Numerics;
using Carrier.Chain.Primitives;

namespace Carrier.Chain.Headers;

/// <summary>Targets, their compact form, and the retarget every 720 blocks.</summary>
/// <remarks>
/// Compact bits: one byte exponent, three bytes signed mantissa; target = mantissa × 256^(exponent − 3). A target is a <see cref="Hash256"/> read as a
/// little-endian number, so that a block hash compares with it directly.
/// </remarks>
public static class Difficulty
{
    /// <summary>Blocks between retargets: a day of two minutes each.</summary>
    public const int RetargetBlocks = 720;

    /// <summary>What <see cref="RetargetBlocks"/> should take, in seconds.</summary>
    public const long TargetSeconds = 86_400;

    private const long MinSeconds = TargetSeconds / 4;
    private const long MaxSeconds = TargetSeconds * 4;
    private const uint SignBit = 0x0080_0000;

    /// <summary>2^255 − 1: no target is above it.</summary>
    private static readonly BigInteger Limit = (BigInteger.One << 255) - 1;

    /// <summary>The target of compact bits; false when it is not positive or above the limit.</summary>
    public static bool TryToTarget(uint bits, out Hash256 target)
    {
        target = default;
        int exponent = (int)(bits >> 24);
        uint mantissa = bits & 0x007F_FFFF;
        if ((bits & SignBit) != 0 || mantissa == 0)
        {
            return false;
        }

        Span<byte> bytes = stackalloc byte[Hash256.Bytes + sizeof(uint)];
        bytes.Clear();
        if (exponent <= 3)
        {
            mantissa >>= 8 * (3 - exponent);
            BitConverter.TryWriteBytes(bytes, mantissa);
        }
        else
        {
            int shift = exponent - 3;
            if (shift > Hash256.Bytes)
            {
                return false;
            }

            System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(bytes[shift..], mantissa);
        }

        if (bytes[Hash256.Bytes..].ContainsAnyExcept((byte)0) || (bytes[Hash256.Bytes - 1] & 0x80) != 0)
        {
            return false;
        }

        target = new Hash256(bytes[..Hash256.Bytes]);
        return !target.IsZero;
    }

    /// <summary>The bits after a period whose last block was <paramref name="lastTimestamp"/> and first <paramref name="firstTimestamp"/>.</summary>
    public static uint Retarget(uint bits, uint firstTimestamp, uint lastTimestamp)
    {
        long seconds = Math.Clamp((long)lastTimestamp - firstTimestamp, MinSeconds, MaxSeconds);
        BigInteger target = ToNumber(bits) * seconds / TargetSeconds;
        return ToCompact(BigInteger.Min(target, Limit));
    }

    /// <summary>The work a block of these bits stands for: 2^256 / (target + 1), or none for bits without a target.</summary>
    public static ChainWork Work(uint bits)
    {
        BigInteger target = ToNumber(bits);
        return target.Sign <= 0 ? ChainWork.None : ChainWork.FromNumber((BigInteger.One << 256) / (target + 1));
    }

    internal static uint ToCompact(BigInteger target)
    {
        if (target.IsZero)
        {
            return 0;
        }

        int exponent = target.GetByteCount(isUnsigned: true);
        uint mantissa = exponent <= 3 ? (uint)target << (8 * (3 - exponent)) : (uint)(target >> (8 * (exponent - 3)));
        if ((mantissa & SignBit) != 0)
        {
            mantissa >>= 8;
            exponent++;
        }

        return ((uint)exponent << 24) | mantissa;
    }

    private static BigInteger ToNumber(uint bits)
    {
        if (!TryToTarget(bits, out Hash256 target))
        {
            return BigInteger.Zero;
        }

        Span<byte> bytes = stackalloc byte[Hash256.Bytes];
        target.CopyTo(bytes);
        return new BigInteger(bytes, isUnsigned: true);
    }
}
