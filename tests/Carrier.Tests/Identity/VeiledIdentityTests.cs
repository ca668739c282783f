using Carrier.Core.Identity;

namespace Carrier.Tests.Identity;

public sealed class VeiledIdentityTests
{
    private static readonly TrustId Owner = new(Convert.FromHexString("E94b04a0FeD112f3664e45adb2B8915693d05FF3"));
    private static readonly byte[] Delegation = [.. Enumerable.Range(0, 200).Select(i => (byte)i)];

    [Fact]
    public void TryOpen_gives_the_delegation_to_who_knows_the_trust_id()
    {
        VeiledIdentity veiled = VeiledIdentity.Create(Owner, Delegation, new HashedRandom(7));
        Assert.True(VeiledIdentity.IsOf(Owner, veiled.Label));
        Span<byte> opened = stackalloc byte[Carrier.Core.Identity.Delegation.MaxBytes];
        Assert.True(VeiledIdentity.TryOpen(Owner, veiled.Label, veiled.Sealed, opened, out int bytes));
        Assert.Equal(Delegation, opened[..bytes].ToArray());
    }

    [Fact]
    public void TryOpen_is_false_for_another_trust_id_and_for_every_changed_bit()
    {
        VeiledIdentity veiled = VeiledIdentity.Create(Owner, Delegation, new HashedRandom(7));
        TrustId other = new(new byte[TrustId.Bytes]);
        byte[] opened = new byte[Carrier.Core.Identity.Delegation.MaxBytes];
        Assert.False(VeiledIdentity.TryOpen(other, veiled.Label, veiled.Sealed, opened, out _));
        for (int bit = 0; bit < 8 * (veiled.Label.Length + veiled.Sealed.Length); bit++)
        {
            byte[] all = [.. veiled.Label, .. veiled.Sealed];
            all[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(VeiledIdentity.TryOpen(Owner, all.AsSpan(0, VeiledIdentity.LabelBytes), all.AsSpan(VeiledIdentity.LabelBytes), opened, out _), $"bit {bit}");
        }
    }

    [Fact]
    public void Create_draws_another_label_each_time_and_it_tells_nothing_of_the_owner()
    {
        HashedRandom random = new(7);
        byte[] first = VeiledIdentity.Create(Owner, Delegation, random).Label.ToArray();
        byte[] second = VeiledIdentity.Create(Owner, Delegation, random).Label.ToArray();
        Assert.NotEqual(first, second);
        Assert.NotEqual(first[8..], second[8..]);
    }

    [Fact]
    public void TryOpen_takes_nothing_longer_than_a_delegation()
    {
        byte[] opened = new byte[1024];
        Assert.False(VeiledIdentity.TryOpen(Owner, new byte[VeiledIdentity.LabelBytes], new byte[VeiledIdentity.MaxSealedBytes + 1], opened, out _));
        Assert.False(VeiledIdentity.TryOpen(Owner, [], [], opened, out _));
        Assert.False(VeiledIdentity.IsOf(Owner, new byte[VeiledIdentity.LabelBytes - 1]));
    }
}
