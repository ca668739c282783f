using System.Globalization;

namespace Carrier.Chain.Primitives;

/// <summary>An amount of ELA in its smallest unit: 1 ELA = 100,000,000 Sela. Never negative, never above all there will ever be, never floating point.</summary>
/// <remarks>
/// Every way to make one checks both bounds, so a sum of values a node reported cannot wrap or grow past belief. Text is exact decimal ELA both ways, in
/// the form the nodes write: no fraction when whole, else eight digits.
/// </remarks>
public readonly record struct Sela : IComparable<Sela>
{
    /// <summary>Sela in one ELA.</summary>
    public const long PerEla = 100_000_000;

    /// <summary>Digits after the point.</summary>
    public const int Decimals = 8;

    /// <summary>All ELA that will ever exist, rounded up: 33,000,000 at genesis, 4 % of that a year for 919,800 blocks (4,620,000), 4 % of 20,000,000 a year
    /// for 131,400 blocks (400,000), then half as much every 1,051,200 blocks (3,200,000 in the limit).</summary>
    public const long MaxSupply = 41_220_000 * PerEla;

    /// <summary>Longest text that is looked at: the digits of the greatest amount, the point and the fraction.</summary>
    public const int MaxTextLength = 17;

    public static readonly Sela Zero;

    /// <summary>The total supply as an amount.</summary>
    public static readonly Sela Max = new(MaxSupply);

    /// <exception cref="ArgumentOutOfRangeException">Negative, or above <see cref="MaxSupply"/>. For what comes from outside there is <see cref="TryFrom"/>.</exception>
    public Sela(long value)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(value);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(value, MaxSupply);
        Value = value;
    }

    /// <summary>The number of Sela.</summary>
    public long Value { get; }

    public static bool operator <(Sela left, Sela right) => left.Value < right.Value;

    public static bool operator >(Sela left, Sela right) => left.Value > right.Value;

    public static bool operator <=(Sela left, Sela right) => left.Value <= right.Value;

    public static bool operator >=(Sela left, Sela right) => left.Value >= right.Value;

    /// <exception cref="OverflowException">The sum is above the total supply: a bug where both are ours. Else <see cref="TryAdd"/>.</exception>
    public static Sela operator +(Sela left, Sela right) =>
        left.TryAdd(right, out Sela sum) ? sum : throw new OverflowException("The sum is above the total supply.");

    /// <exception cref="OverflowException">The difference is negative: a bug where both are ours. Else <see cref="TrySubtract"/>.</exception>
    public static Sela operator -(Sela left, Sela right) =>
        left.TrySubtract(right, out Sela difference) ? difference : throw new OverflowException("The difference is negative.");

    /// <summary>Takes a number of Sela from outside.</summary>
    public static bool TryFrom(long value, out Sela amount)
    {
        bool valid = value is >= 0 and <= MaxSupply;
        amount = valid ? new Sela(value) : default;
        return valid;
    }

    /// <summary>Whole ELA.</summary>
    public static Sela FromEla(int ela) => new(ela * PerEla);

    /// <summary>Reads decimal ELA: digits, and perhaps a point and one to eight more. No sign, blank, exponent, separator or other digits than 0–9.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out Sela amount)
    {
        amount = default;
        int point = text.IndexOf('.');
        ReadOnlySpan<char> whole = point < 0 ? text : text[..point];
        ReadOnlySpan<char> fraction = point < 0 ? [] : text[(point + 1)..];
        if (text.Length > MaxTextLength || whole.IsEmpty || (point >= 0 && fraction.IsEmpty) || fraction.Length > Decimals
            || whole.ContainsAnyExceptInRange('0', '9') || fraction.ContainsAnyExceptInRange('0', '9'))
        {
            return false;
        }

        Int128 value = 0; // seventeen digits and eight more cannot wrap it
        foreach (char digit in whole)
        {
            value = (value * 10) + (digit - '0');
        }

        for (int i = 0; i < Decimals; i++)
        {
            value = (value * 10) + (i < fraction.Length ? fraction[i] - '0' : 0);
        }

        return value <= MaxSupply && TryFrom((long)value, out amount);
    }

    public bool TryAdd(Sela other, out Sela sum) => TryFrom(Value + other.Value, out sum); // two supplies fit in 64 bits

    public bool TrySubtract(Sela other, out Sela difference) => TryFrom(Value - other.Value, out difference);

    public int CompareTo(Sela other) => Value.CompareTo(other.Value);

    /// <summary>Decimal ELA, exact: <c>33000000</c>, <c>0.00000100</c>.</summary>
    public override string ToString()
    {
        (long whole, long fraction) = Math.DivRem(Value, PerEla);
        return fraction == 0
            ? whole.ToString(CultureInfo.InvariantCulture)
            : string.Create(CultureInfo.InvariantCulture, $"{whole}.{fraction:D8}");
    }
}
