using System.Net;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Identity;

namespace Carrier.Benchmarks.Links;

/// <summary>The nodes of a link measurement, bound to the addresses a network namespace gives.</summary>
internal static class LinkNode
{
    public static Task<CarrierNode> StartSeedAsync(string address, TransportKey transportKey) => CarrierNode.StartAsync(new CarrierNodeOptions
    {
        Identity = new NodeIdentity(transportKey),
        Listen = new IPEndPoint(IPAddress.Parse(address), 0),
        Serve = true,
    });

    public static Task<CarrierNode> StartAsync(string address, SeedAddress seed, DeviceKeys device, BenchOptions options)
    {
        Span<byte> scalar = stackalloc byte[OwnerKey.PrivateBytes];
        SystemRandomSource.Shared.Fill(scalar);
        scalar[0] = 0; // below the order of the curve
        _ = OwnerKey.TryFromPrivate(scalar, out OwnerKey? owner);
        using (owner)
        {
            UnixTime now = new(DateTimeOffset.UtcNow.ToUnixTimeSeconds());
            var delegation = Delegation.Issue(owner!, device, 1, now - TimeSpan.FromHours(1), now + TimeSpan.FromDays(1), DelegationUses.All);
            return CarrierNode.StartAsync(new CarrierNodeOptions
            {
                Identity = new NodeIdentity(device, delegation),
                Listen = new IPEndPoint(IPAddress.Parse(address), 0),
                Seeds = [seed],
                ForcedCipher = options.Cipher is { } cipher ? Enum.Parse<CipherSuite>(cipher, ignoreCase: true) : null,
                CongestionControl = options.Congestion,
            });
        }
    }
}
