using System.Globalization;
using System.Numerics;

namespace Carrier.Chain.Headers;

/// <summary>Expected hashes behind a chain of headers, as a 256-bit number. The chain with the most is the chain.</summary>
public readonly record struct ChainWork(UInt128 High, UInt128 Low) : IComparable<ChainWork>
{
    public const int Bytes = 32;

    public static readonly ChainWork None;

    public static bool operator <(ChainWork left, ChainWork right) => left.CompareTo(right) < 0;

    public static bool operator >(ChainWork left, ChainWork right) => left.CompareTo(right) > 0;

    public static bool operator <=(ChainWork left, ChainWork right) => left.CompareTo(right) <= 0;

    public static bool operator >=(ChainWork left, ChainWork right) => left.CompareTo(right) >= 0;

    public static ChainWork operator +(ChainWork left, ChainWork right)
    {
        UInt128 low = unchecked(left.Low + right.Low);
        UInt128 carry = low < left.Low ? UInt128.One : UInt128.Zero;
        return new(checked(left.High + right.High + carry), low);
    }

    /// <summary>What remains; <paramref name="right"/> must not be more.</summary>
    public static ChainWork operator -(ChainWork left, ChainWork right)
    {
        UInt128 borrow = left.Low < right.Low ? UInt128.One : UInt128.Zero;
        return new(checked(left.High - right.High - borrow), unchecked(left.Low - right.Low));
    }

    public static ChainWork Add(ChainWork left, ChainWork right) => left + right;

    public static ChainWork Subtract(ChainWork left, ChainWork right) => left - right;

    /// <summary>Reads 1 to 64 hex digits.</summary>
    public static bool TryParse(ReadOnlySpan<char> hex, out ChainWork work)
    {
        work = None;
        if (hex.Length is 0 or > 2 * Bytes || !UInt128.TryParse(hex.Length > 32 ? hex[^32..] : hex, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out UInt128 low))
        {
            return false;
        }

        UInt128 high = UInt128.Zero;
        bool valid = hex.Length <= 32 || UInt128.TryParse(hex[..^32], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out high);
        work = valid ? new ChainWork(high, low) : None;
        return valid;
    }

    public int CompareTo(ChainWork other)
    {
        int order = High.CompareTo(other.High);
        return order != 0 ? order : Low.CompareTo(other.Low);
    }

    /// <summary>64 lower-case hex digits.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{High:x32}{Low:x32}");

    internal static ChainWork FromNumber(BigInteger number) => new((UInt128)(number >> 128), (UInt128)(number & UInt128.MaxValue));
}
