using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Node;

namespace Carrier.Driving;

/// <summary>A dial under way.</summary>
internal sealed class PendingDial(NodeThread thread, TrustId peer, string protocol, ConnectOptions options) : PendingOperation<CarrierSession>(thread)
{
    public override void Answer(Instant now, in NodeEffect effect)
    {
        if (effect.Kind == NodeEffectKind.DialFailed)
        {
            Fail(Failures.Of(effect.Failure, peer));
            return;
        }

        SessionDriver driver = Thread.Adopt(now, effect.Session!);
        if (!TrySucceed(driver.Session))
        {
            driver.Close(now, 0, "the dial was cancelled");
        }
    }

    protected override ulong Begin(Instant now)
    {
        Thread.LinkDiscovery?.Look(peer);
        return Machine.Dial(now, peer, protocol, options.CongestionControl);
    }

    protected override void GiveUp(ulong operation) => Machine.CancelDial(operation);
}
