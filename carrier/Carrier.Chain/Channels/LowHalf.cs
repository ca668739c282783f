using System.Buffers.Binary;

namespace Carrier.Chain.Channels;

/// <summary>Puts the s of a P-256 signature into the low half of the group order, the one form Carrier makes.</summary>
internal static class LowHalf
{
    private const int Bytes = 32;

    private static readonly UInt128 OrderHigh = new(0xFFFFFFFF_00000000, 0xFFFFFFFF_FFFFFFFF);
    private static readonly UInt128 OrderLow = new(0xBCE6FAAD_A7179E84, 0xF3B9CAC2_FC632551);
    private static readonly UInt128 HalfHigh = OrderHigh >> 1;
    private static readonly UInt128 HalfLow = (OrderLow >> 1) | (OrderHigh << 127);

    /// <summary>Replaces <paramref name="s"/>, 32 bytes big-endian, by N − s when it is above N / 2.</summary>
    public static void Put(Span<byte> s)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(s.Length, Bytes);
        UInt128 high = BinaryPrimitives.ReadUInt128BigEndian(s);
        UInt128 low = BinaryPrimitives.ReadUInt128BigEndian(s[(Bytes / 2)..]);
        if (high > HalfHigh || (high == HalfHigh && low > HalfLow))
        {
            UInt128 difference = unchecked(OrderLow - low);
            UInt128 borrow = low > OrderLow ? UInt128.One : UInt128.Zero;
            BinaryPrimitives.WriteUInt128BigEndian(s, unchecked(OrderHigh - high - borrow));
            BinaryPrimitives.WriteUInt128BigEndian(s[(Bytes / 2)..], difference);
        }
    }
}
