using Carrier.Core.Session.Recovery;
using CsCheck;

namespace Carrier.Tests.Session.Recovery;

public class AckRangesTests
{
    [Fact]
    public void TryAdd_in_order_keeps_one_range()
    {
        var ranges = new AckRanges();
        for (ulong number = 5; number < 1_000; number++)
        {
            Assert.True(ranges.TryAdd(number));
        }

        Assert.Equal(1, ranges.Count);
        Assert.Equal(new AckRange(5, 999), ranges[0]);
        Assert.Equal(999UL, ranges.Largest);
    }

    [Fact]
    public void TryAdd_the_missing_number_joins_two_ranges()
    {
        var ranges = new AckRanges();
        foreach (ulong number in new ulong[] { 0, 1, 3, 4 })
        {
            ranges.TryAdd(number);
        }

        Assert.Equal([new AckRange(3, 4), new AckRange(0, 1)], All(ranges));
        Assert.True(ranges.TryAdd(2));
        Assert.Equal([new AckRange(0, 4)], All(ranges));
    }

    [Fact]
    public void TryAdd_a_hostile_order_stays_capped_and_remembers_the_newest()
    {
        // 1, 1000, 2, 999, … with gaps, so that nothing merges.
        var ranges = new AckRanges();
        for (ulong i = 0; i < 100_000; i++)
        {
            ranges.TryAdd((i * 2) + 1);
            ranges.TryAdd(1_000_000 - (i * 2));
            Assert.InRange(ranges.Count, 1, AckRanges.MaxRanges);
        }

        Assert.Equal(1_000_000UL, ranges.Largest);
        Assert.Equal(new AckRange(1_000_000, 1_000_000), ranges[0]);
    }

    [Fact]
    public void TryAdd_beyond_the_cap_forgets_the_oldest_and_refuses_what_it_forgot()
    {
        var ranges = new AckRanges();
        for (ulong i = 0; i <= AckRanges.MaxRanges; i++)
        {
            Assert.True(ranges.TryAdd(i * 10));
        }

        Assert.Equal(AckRanges.MaxRanges, ranges.Count);
        Assert.Equal(new AckRange(10, 10), ranges[ranges.Count - 1]);
        Assert.False(ranges.TryAdd(0));
        Assert.False(ranges.TryAdd(5));
        Assert.True(ranges.TryAdd(9));
    }

    [Fact]
    public void ForgetBelow_trims_and_keeps_duplicates_out()
    {
        var ranges = new AckRanges();
        foreach (ulong number in new ulong[] { 1, 5, 6, 7, 20 })
        {
            ranges.TryAdd(number);
        }

        ranges.ForgetBelow(6);

        Assert.Equal([new AckRange(20, 20), new AckRange(6, 7)], All(ranges));
        Assert.True(ranges.IsDuplicate(1));
        Assert.True(ranges.IsDuplicate(5));
        Assert.False(ranges.TryAdd(3));
        Assert.True(ranges.TryAdd(8));
        Assert.True(ranges.TryAdd(ulong.MaxValue));
    }

    [Fact]
    public void TryAdd_never_accepts_a_number_twice_and_reports_only_what_came() =>
        Gen.Int[0, 400].Array[1, 600].Sample(numbers =>
        {
            var ranges = new AckRanges();
            var accepted = new HashSet<ulong>();
            foreach (int number in numbers)
            {
                bool duplicate = ranges.IsDuplicate((ulong)number);
                bool added = ranges.TryAdd((ulong)number);
                Assert.Equal(!duplicate, added);
                Assert.True(!added || accepted.Add((ulong)number));
            }

            AckRange[] all = All(ranges);
            Assert.Equal(accepted.Max(), ranges.Largest);
            for (int i = 0; i < all.Length; i++)
            {
                Assert.True(i == 0 || all[i].Largest + 1 < all[i - 1].Smallest, "Ranges descend and do not touch.");
                for (ulong number = all[i].Smallest; number <= all[i].Largest; number++)
                {
                    Assert.Contains(number, accepted);
                }
            }
        });

    private static AckRange[] All(AckRanges ranges) => [.. Enumerable.Range(0, ranges.Count).Select(i => ranges[i])];
}
