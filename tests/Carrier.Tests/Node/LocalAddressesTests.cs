using Carrier.Core;
using Carrier.Nat;
using Carrier.Node.Addresses;
using Carrier.Tests.Nat;

namespace Carrier.Tests.Node;

public sealed class LocalAddressesTests
{
    [Fact]
    public void SetMapped_is_a_candidate_before_the_reflexive_one_until_it_is_gone()
    {
        LocalAddresses addresses = new(default, new DropCounters());
        addresses.SetHosts([Addresses.Of("192.168.1.2:4242")]);
        addresses.Observe(Addresses.At(0), Addresses.Of("198.51.100.1:4242"), Addresses.Of("203.0.113.7:61000"));
        _ = addresses.TakeChanged();

        addresses.SetMapped(Addresses.Of("203.0.113.7:4343"));
        Assert.True(addresses.TakeChanged());
        Assert.Equal([CandidateKind.Host, CandidateKind.Mapped, CandidateKind.Reflexive], addresses.Candidates.Select(candidate => candidate.Kind));
        Assert.Equal(Addresses.Of("203.0.113.7:4343"), addresses.Candidates[1].Endpoint);

        addresses.SetMapped(default);
        Assert.True(addresses.TakeChanged());
        Assert.Equal(2, addresses.Candidates.Count);
    }
}
