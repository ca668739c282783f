using Carrier.Chain.Primitives;
using CsCheck;

namespace Carrier.Tests.Chain;

public class SelaTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("33000000", 3_300_000_000_000_000)]
    [InlineData("0.00000100", 100)]
    [InlineData("0.00000001", 1)]
    [InlineData("99.99999900", 9_999_999_900)]
    [InlineData("41220000", Sela.MaxSupply)]
    public void ToString_writes_what_TryParse_reads(string text, long value)
    {
        Assert.True(Sela.TryParse(text, out Sela amount));
        Assert.Equal(value, amount.Value);
        Assert.Equal(text, amount.ToString());
    }

    [Theory]
    [InlineData("1.5", 150_000_000)]
    [InlineData("0001", 100_000_000)]
    [InlineData("1.10", 110_000_000)]
    public void TryParse_takes_fewer_digits(string text, long value)
    {
        Assert.True(Sela.TryParse(text, out Sela amount));
        Assert.Equal(value, amount.Value);
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData(".5")]
    [InlineData("5.")]
    [InlineData("-1")]
    [InlineData("+1")]
    [InlineData(" 1")]
    [InlineData("1 ")]
    [InlineData("1,000")]
    [InlineData("1e3")]
    [InlineData("1.2.3")]
    [InlineData("0.000000001")]
    [InlineData("0x10")]
    [InlineData("\u0661")]
    [InlineData("NaN")]
    [InlineData("41220000.00000001")]
    [InlineData("92233720368.54775808")]
    [InlineData("99999999999999999999999999")]
    public void TryParse_refuses_what_is_no_amount(string text) => Assert.False(Sela.TryParse(text, out _));

    [Theory]
    [InlineData(-1)]
    [InlineData(long.MinValue)]
    [InlineData(long.MaxValue)]
    [InlineData(Sela.MaxSupply + 1)]
    public void TryFrom_refuses_what_cannot_exist(long value)
    {
        Assert.False(Sela.TryFrom(value, out _));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Sela(value));
    }

    [Fact]
    public void Arithmetic_stays_within_the_supply() =>
        Gen.Select(Gen.Long[0, Sela.MaxSupply], Gen.Long[0, Sela.MaxSupply]).Sample((a, b) =>
        {
            var left = new Sela(a);
            var right = new Sela(b);
            Assert.Equal(a + b <= Sela.MaxSupply, left.TryAdd(right, out Sela sum));
            Assert.Equal(a + b <= Sela.MaxSupply ? a + b : 0, sum.Value);
            Assert.Equal(a >= b, left.TrySubtract(right, out Sela difference));
            Assert.Equal(a >= b ? a - b : 0, difference.Value);
            Assert.True(Sela.TryParse(left.ToString(), out Sela back));
            Assert.Equal(left, back);
        });

    [Fact]
    public void Operators_throw_rather_than_wrap()
    {
        Assert.Throws<OverflowException>(() => Sela.Max + new Sela(1));
        Assert.Throws<OverflowException>(() => Sela.Zero - new Sela(1));
    }
}
