using System.Buffers.Binary;

namespace Carrier.Core.Identity;

/// <summary>A 256-bit number beside the order of P-256, N (FIPS 186-5, SP 800-186 §3.2.1.3). A value on the stack: private scalars leave no heap copies.</summary>
internal readonly record struct P256Scalar(UInt128 High, UInt128 Low) : IComparable<P256Scalar>
{
    public const int Bytes = 32;

    /// <summary>The order of the base point.</summary>
    public static readonly P256Scalar Order = new(
        new UInt128(0xFFFFFFFF00000000, 0xFFFFFFFFFFFFFFFF),
        new UInt128(0xBCE6FAADA7179E84, 0xF3B9CAC2FC632551));

    /// <summary>(N − 1) / 2: the greatest <c>s</c> of a signature in the low form.</summary>
    public static readonly P256Scalar HalfOrder = new(
        new UInt128(0x7FFFFFFF80000000, 0x7FFFFFFFFFFFFFFF),
        new UInt128(0xDE737D56D38BCF42, 0x79DCE5617E3192A8));

    /// <summary>True in [1, N − 1]: what a private key and both halves of a signature must be.</summary>
    public bool IsInRange => (High | Low) != 0 && CompareTo(Order) < 0;

    public bool IsHigh => CompareTo(HalfOrder) > 0;

    public static P256Scalar Read(ReadOnlySpan<byte> bigEndian) =>
        new(BinaryPrimitives.ReadUInt128BigEndian(bigEndian), BinaryPrimitives.ReadUInt128BigEndian(bigEndian[16..]));

    public void Write(Span<byte> bigEndian)
    {
        BinaryPrimitives.WriteUInt128BigEndian(bigEndian, High);
        BinaryPrimitives.WriteUInt128BigEndian(bigEndian[16..], Low);
    }

    /// <summary>this + other mod N; both must be below N.</summary>
    public P256Scalar AddModOrder(P256Scalar other)
    {
        UInt128 low = unchecked(Low + other.Low);
        UInt128 carry = low < Low ? 1u : 0u;
        UInt128 high = unchecked(High + other.High + carry);
        bool overflowed = high < High || (carry != 0 && high == High);
        P256Scalar sum = new(high, low);
        return overflowed || sum.CompareTo(Order) >= 0 ? sum.Minus(Order) : sum;
    }

    /// <summary>N − this; this must be below N.</summary>
    public P256Scalar Negate() => Order.Minus(this);

    public int CompareTo(P256Scalar other)
    {
        int order = High.CompareTo(other.High);
        return order != 0 ? order : Low.CompareTo(other.Low);
    }

    // The generated text of a record would print a private key.
    public override string ToString() => nameof(P256Scalar);

    private P256Scalar Minus(P256Scalar other)
    {
        UInt128 borrow = Low < other.Low ? 1u : 0u;
        return new(unchecked(High - other.High - borrow), unchecked(Low - other.Low));
    }
}
