using System.Numerics;
using Carrier.Chain.Headers;
using Carrier.Chain.Primitives;
using CsCheck;

namespace Carrier.Tests.Chain;

public class DifficultyTests
{
    [Theory]
    [InlineData(0x207fffffu, "7fffff0000000000000000000000000000000000000000000000000000000000")]
    [InlineData(0x1f0008ffu, "000008ff00000000000000000000000000000000000000000000000000000000")]
    [InlineData(0x1d03ffffu, "00000003ffff0000000000000000000000000000000000000000000000000000")]
    [InlineData(0x03123456u, "0000000000000000000000000000000000000000000000000000000000123456")]
    [InlineData(0x02123456u, "0000000000000000000000000000000000000000000000000000000000001234")]
    public void TryToTarget_expands_bits(uint bits, string target)
    {
        Assert.True(Difficulty.TryToTarget(bits, out Hash256 expanded));
        Assert.Equal(target, expanded.ToString());
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(0x20800001u)] // negative
    [InlineData(0x2100ffffu)] // above 2^255 − 1
    [InlineData(0x217fffffu)]
    [InlineData(0xff7fffffu)]
    [InlineData(0x00123456u)]
    [InlineData(0x1d000000u)]
    public void TryToTarget_refuses_what_is_not_positive_or_above_the_limit(uint bits) => Assert.False(Difficulty.TryToTarget(bits, out _));

    [Theory]
    [InlineData(86_400u, 0x1d00ffffu)]
    [InlineData(43_200u, 0x1c7fff80u)]
    [InlineData(172_800u, 0x1d01fffeu)]
    [InlineData(0u, 0x1c3fffc0u)] // clamped to a quarter
    [InlineData(10_000_000u, 0x1d03fffcu)] // clamped to four times
    public void Retarget_scales_by_the_time_taken(uint seconds, uint bits) =>
        Assert.Equal(bits, Difficulty.Retarget(0x1d00ffff, 1_600_000_000, 1_600_000_000 + seconds));

    [Fact]
    public void Retarget_treats_a_clock_that_ran_backwards_as_the_shortest_time() =>
        Assert.Equal(Difficulty.Retarget(0x1d00ffff, 0, 0), Difficulty.Retarget(0x1d00ffff, 1_600_000_000, 1));

    [Fact]
    public void Retarget_never_exceeds_the_limit() => Assert.Equal(0x207fffffu, Difficulty.Retarget(0x207fffff, 0, uint.MaxValue));

    [Fact]
    public void Work_is_two_to_the_256_over_the_target_and_one()
    {
        Assert.Equal(ChainWork.FromNumber(2), Difficulty.Work(0x207fffff));
        Assert.Equal(ChainWork.FromNumber((BigInteger.One << 256) / ((new BigInteger(0x3fffc0) << (8 * 27)) + 1)), Difficulty.Work(0x1e3fffc0));
        Assert.Equal(ChainWork.None, Difficulty.Work(0));
    }

    [Fact]
    public void ChainWork_counts_like_a_big_number() =>
        Gen.Select(Gen.ULong, Gen.ULong, Gen.ULong, Gen.ULong).Sample((a, b, c, d) =>
        {
            BigInteger left = (new BigInteger(a >> 1) << 192) + b;
            BigInteger right = (new BigInteger(c >> 1) << 64) + d;
            ChainWork sum = ChainWork.FromNumber(left) + ChainWork.FromNumber(right);
            Assert.Equal(ChainWork.FromNumber(left + right), sum);
            Assert.Equal(ChainWork.FromNumber(left), sum - ChainWork.FromNumber(right));
            Assert.Equal(left.CompareTo(right), Math.Sign(ChainWork.FromNumber(left).CompareTo(ChainWork.FromNumber(right))));
            Assert.True(ChainWork.TryParse(sum.ToString(), out ChainWork back));
            Assert.Equal(sum, back);
        });
}
