using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Node;
using Carrier.Node.Dialing;
using Carrier.Node.Peers;

namespace Carrier.Driving;

/// <summary>A search for a peer's devices.</summary>
internal sealed class PendingResolve(NodeThread thread, TrustId peer) : PendingOperation<Resolution>(thread)
{
    public override void Answer(Instant now, in NodeEffect effect)
    {
        if (effect.Failure != DialFailure.None)
        {
            Fail(Failures.Of(effect.Failure, peer));
            return;
        }

        _ = TrySucceed(new Resolution(peer, [.. effect.Devices!.Select(Describe)]));
    }

    protected override ulong Begin(Instant now) => Machine.Resolve(now, peer);

    private static ResolvedDevice Describe(PeerDevice device) => new(
        device.Delegation.OwnerPublicKey,
        device.ExchangeKey,
        device.Record.Candidates,
        [.. device.Record.Homes.Select(home => new SeedAddress(home.Key, home.Endpoint))],
        device.Delegation.Serial,
        device.Delegation.NotAfter,
        device.Expiry);
}
