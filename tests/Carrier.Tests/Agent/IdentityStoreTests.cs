using Carrier.Agent.State;
using Carrier.Core.Identity;
using Carrier.Tests.Storage;

namespace Carrier.Tests.Agent;

/// <summary>The identity of a home: made once, opened, restored, renewed.</summary>
public sealed class IdentityStoreTests : IDisposable
{
    private const string Words = "cloth always junk crash fun exist stumble shift over benefit fun toe";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Create_then_open_gives_the_same_identity()
    {
        IdentityStore store = Store("a", 0);
        TrustId id = store.Create(Mnemonic(), null);
        using KeystoreContents contents = store.Open(null);

        Assert.False(store.NeedsPassphrase());
        Assert.Equal(id, contents.Delegation!.TrustId);
        Assert.Equal(id, store.ReadTrustId());
        Assert.Equal(DelegationVerdict.Valid, contents.Delegation.Verify(new(0), 0));
    }

    [Fact]
    public void Create_from_the_same_mnemonic_is_the_same_owner_with_other_device_keys()
    {
        IdentityStore first = Store("a", 0);
        var second = new IdentityStore(AgentHome.At(_folder.File("b")), new SeededRandom(8), new FixedTime(86_400));
        Assert.Equal(first.Create(Mnemonic(), null), second.Create(Mnemonic(), null));
        using KeystoreContents one = first.Open(null);
        using KeystoreContents other = second.Open(null);
        Assert.NotEqual(one.Device!.SigningKey, other.Device!.SigningKey);
    }

    [Fact]
    public void Create_never_replaces_an_identity()
    {
        IdentityStore store = Store("a", 0);
        TrustId id = store.Create(Mnemonic(), null);
        Assert.Equal(ExitCode.Usage, Assert.Throws<AgentException>(() => store.Create(Core.Identity.Mnemonic.Generate(new SeededRandom(3)), null)).ExitCode);
        Assert.Equal(id, store.ReadTrustId());
    }

    [Fact]
    public void Open_wants_the_passphrase_it_was_made_with()
    {
        IdentityStore store = Store("a", 0);
        TrustId id = store.Create(Mnemonic(), "correct horse");

        Assert.True(store.NeedsPassphrase());
        Assert.Equal(id, store.ReadTrustId());
        Assert.Throws<AgentException>(() => store.Open(null));
        Assert.Throws<AgentException>(() => store.Open("battery staple"));
        store.Open("correct horse").Dispose();
    }

    [Fact]
    public void Open_without_an_identity_says_to_make_one() =>
        Assert.Contains("carrier init", Assert.Throws<AgentException>(() => Store("none", 0).Open(null)).Message, StringComparison.Ordinal);

    [Fact]
    public void Open_renews_a_delegation_that_runs_out_and_keeps_the_device()
    {
        Store("a", 0).Create(Mnemonic(), null);
        using KeystoreContents before = Store("a", 0).Open(null);
        long later = (long)(IdentityStore.DelegationLifetime - IdentityStore.RenewBelow + TimeSpan.FromDays(1)).TotalSeconds;
        using KeystoreContents after = Store("a", later).Open(null);
        using KeystoreContents again = Store("a", later).Open(null);

        Assert.Equal(before.Device!.SigningKey, after.Device!.SigningKey);
        Assert.True(after.Delegation!.Serial > before.Delegation!.Serial);
        Assert.True(after.Delegation.NotAfter > before.Delegation.NotAfter);
        Assert.Equal(after.Delegation.Serial, again.Delegation!.Serial);
    }

    [Fact]
    public void Open_an_expired_delegation_without_the_owner_says_what_to_do()
    {
        Store("a", 0).Create(Mnemonic(), null);
        File.Delete(AgentHome.At(_folder.File("a")).OwnerKeys);
        Store("a", 1000).Open(null).Dispose();
        long expired = (long)IdentityStore.DelegationLifetime.TotalSeconds + 1;
        Assert.Contains("--restore", Assert.Throws<AgentException>(() => Store("a", expired).Open(null)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Config_keeps_the_allow_list_and_refuses_what_it_does_not_know()
    {
        AgentHome home = AgentHome.At(_folder.File("c"));
        home.Ensure();
        TrustId friend = TransferRig.Sender;
        AgentConfig.Load(home).WithAllowed(friend).WithAllowed(friend).Save(home);
        Assert.Single(AgentConfig.Load(home).Allow);
        Assert.True(AgentConfig.Load(home).Allows(friend));
        AgentConfig.Load(home).WithoutAllowed(friend).Save(home);
        Assert.False(AgentConfig.Load(home).Allows(friend));

        File.WriteAllText(home.Config, """{"alow":[]}""");
        Assert.Contains("alow", Assert.Throws<AgentException>(() => AgentConfig.Load(home)).Message, StringComparison.Ordinal);
    }

    private static Mnemonic Mnemonic() => Core.Identity.Mnemonic.Read(Words, out Mnemonic? mnemonic).IsValid ? mnemonic! : throw new InvalidOperationException();

    private IdentityStore Store(string home, long seconds) => new(AgentHome.At(_folder.File(home)), new SeededRandom(7), new FixedTime(seconds + 86_400));

    private sealed class FixedTime(long seconds) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => DateTimeOffset.FromUnixTimeSeconds(seconds);
    }
}
