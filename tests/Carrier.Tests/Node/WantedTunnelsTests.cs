using Carrier.Core;
using Carrier.Node.Addresses;

namespace Carrier.Tests.Node;

public sealed class WantedTunnelsTests
{
    private readonly DropCounters _drops = new();
    private readonly WantedTunnels _tunnels;

    public WantedTunnelsTests() => _tunnels = new WantedTunnels(_drops);

    [Fact]
    public void TryAsk_one_on_its_way_is_asked_for_once()
    {
        Assert.True(_tunnels.TryAsk(Instant.Zero, Home(1)));
        Assert.True(_tunnels.TryAsk(Instant.Zero + WantedTunnels.Patience - TimeSpan.FromMilliseconds(1), Home(1)));
        Assert.Equal([Home(1)], TakeAll());

        Assert.True(_tunnels.TryAsk(Instant.Zero + WantedTunnels.Patience, Home(1)));
        Assert.Equal([Home(1)], TakeAll());
    }

    /// <summary>Records may name anybody's address as a home.</summary>
    [Fact]
    public void TryAsk_addresses_without_end_draw_a_bounded_number_of_connections()
    {
        int asked = 0;
        for (int second = 0; second < 600; second++)
        {
            for (uint i = 0; i < 24; i++)
            {
                _ = _tunnels.TryAsk(Instant.Zero + TimeSpan.FromSeconds(second), Home(((uint)second * 24) + i));
            }

            asked += TakeAll().Count;
        }

        Assert.InRange(asked, 180, 190); // 6, and 0.3 a second
        Assert.Equal((24 * 600) - asked, _drops[DropReason.OverBudget]);
    }

    private static Endpoint Home(uint number) => Endpoint.FromIPv4(0x14000000 + number, 4242);

    private List<Endpoint> TakeAll()
    {
        List<Endpoint> taken = [];
        while (_tunnels.TryTake(out Endpoint home))
        {
            taken.Add(home);
        }

        return taken;
    }
}
