using Carrier.Core.Wire;
using CsCheck;

namespace Carrier.Tests.Wire;

public sealed class VarintTests
{
    [Theory] // RFC 9000 §A.1
    [InlineData("c2197c5eff14e88c", 151288809941952652UL)]
    [InlineData("9d7f3e7d", 494878333UL)]
    [InlineData("7bbd", 15293UL)]
    [InlineData("25", 37UL)]
    public void Published_vectors_hold_both_ways(string hex, ulong value)
    {
        ReadOnlySpan<byte> source = Convert.FromHexString(hex);
        Assert.True(Varint.TryRead(ref source, out ulong read));
        Assert.Equal(value, read);
        Assert.True(source.IsEmpty);

        byte[] written = new byte[8];
        Assert.Equal(hex, Convert.ToHexStringLower(written.AsSpan(0, Varint.Write(written, value))));
    }

    [Fact]
    public void TryRead_a_longer_form_is_accepted()
    {
        ReadOnlySpan<byte> source = [0x40, 0x25, 0xAA]; // the same 37, RFC 9000 §A.1
        Assert.True(Varint.TryRead(ref source, out ulong value));
        Assert.Equal(37UL, value);
        Assert.Equal(1, source.Length);
    }

    [Theory]
    [InlineData("")]
    [InlineData("40")]
    [InlineData("800000")]
    [InlineData("c0000000000000")]
    public void TryRead_a_truncated_integer_is_refused_and_nothing_is_taken(string hex)
    {
        ReadOnlySpan<byte> source = Convert.FromHexString(hex);
        Assert.False(Varint.TryRead(ref source, out _));
        Assert.Equal(hex.Length / 2, source.Length);
    }

    [Theory]
    [InlineData(63UL, 1)]
    [InlineData(64UL, 2)]
    [InlineData(16383UL, 2)]
    [InlineData(16384UL, 4)]
    [InlineData((1UL << 30) - 1, 4)]
    [InlineData(1UL << 30, 8)]
    [InlineData(Varint.MaxValue, 8)]
    public void Length_changes_at_the_edges(ulong value, int length) => Assert.Equal(length, Varint.Length(value));

    [Fact]
    public void Length_beyond_62_bits_is_a_fault_of_the_caller() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Varint.Length(Varint.MaxValue + 1));

    [Fact]
    public void Write_reads_back() => Gen.Select(Gen.ULong, Gen.Int[2, 63]).Sample((number, shift) =>
    {
        ulong value = number >> shift;
        Span<byte> buffer = stackalloc byte[8];
        int length = Varint.Write(buffer, value);
        ReadOnlySpan<byte> source = buffer[..length];
        return length == Varint.Length(value) && Varint.TryRead(ref source, out ulong back) && back == value && source.IsEmpty;
    });
}
