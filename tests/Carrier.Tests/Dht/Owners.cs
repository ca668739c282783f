using Carrier.Core.Identity;
using Carrier.Dht.Records;

namespace Carrier.Tests.Dht;

/// <summary>An owner and one of its devices, from a number.</summary>
internal sealed class Owners
{
    public Owners(byte owner, byte device, ulong serial = 5, DelegationUses uses = DelegationUses.Records)
    {
        byte[] scalar = new byte[OwnerKey.PrivateBytes];
        scalar[^1] = owner;
        scalar[0] = 1;
        Assert.True(OwnerKey.TryFromPrivate(scalar, out OwnerKey? key));
        Owner = key;
        Device = DeviceKeys.Generate(new SeededRandom(((ulong)owner << 8) + device));
        Delegation = Delegation.Issue(
            Owner, Device, serial, DhtNetwork.Epoch - TimeSpan.FromDays(1), DhtNetwork.Epoch + TimeSpan.FromDays(1), uses);
    }

    public OwnerKey Owner { get; }

    public DeviceKeys Device { get; }

    public Delegation Delegation { get; }

    public SignedRecord Sign(ulong sequence, string value, int lifetimeMinutes = 60, string salt = "", int padTo = 0)
    {
        byte[] bytes = new byte[Math.Max(padTo, value.Length)];
        System.Text.Encoding.ASCII.GetBytes(value, bytes);
        return SignedRecord.Sign(
            Device, Delegation, System.Text.Encoding.ASCII.GetBytes(salt), sequence,
            DhtNetwork.Epoch + TimeSpan.FromMinutes(lifetimeMinutes), bytes);
    }
}
