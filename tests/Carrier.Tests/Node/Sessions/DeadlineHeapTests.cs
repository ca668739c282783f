using Carrier.Core;
using Carrier.Node.Sessions;
using CsCheck;

namespace Carrier.Tests.Node.Sessions;

public class DeadlineHeapTests
{
    [Fact]
    public void TryPopDue_after_random_moves_and_removals_yields_deadlines_in_order() =>
        Gen.Int[0, 39].Array[1, 200].Select(Gen.Int[0, 1000].Array[200]).Sample((touched, times) =>
        {
            DeadlineHeap<Item> heap = new();
            Item[] items = [.. Enumerable.Range(0, 40).Select(_ => new Item())];
            Instant[] expected = [.. Enumerable.Repeat(Instant.Never, 40)];
            for (int i = 0; i < touched.Length; i++)
            {
                Instant deadline = times[i] % 5 == 0 ? Instant.Never : new Instant(times[i]);
                heap.Set(items[touched[i]], deadline);
                expected[touched[i]] = deadline;
            }

            List<Instant> popped = [];
            while (heap.TryPopDue(new Instant(1000), out Item item))
            {
                Assert.Equal(Instant.Never, item.Deadline);
                popped.Add(expected[Array.IndexOf(items, item)]);
            }

            Assert.Equal(expected.Where(deadline => deadline != Instant.Never).Order(), popped);
            Assert.Equal(0, heap.Count);
        });

    [Fact]
    public void TryPopDue_before_the_deadline_leaves_the_item()
    {
        DeadlineHeap<Item> heap = new();
        heap.Set(new Item(), new Instant(10));
        Assert.False(heap.TryPopDue(new Instant(9), out _));
        Assert.Equal(new Instant(10), heap.Earliest);
    }

    private sealed class Item : Deadlined;
}
