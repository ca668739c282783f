using Carrier.Core.Crypto;
using Carrier.Core.Identity;

namespace Carrier;

/// <summary>Who a node is. The keys stay the caller's, who disposes them after the node.</summary>
public sealed class NodeIdentity
{
    /// <param name="device">This device's keys.</param>
    /// <param name="delegation">The owner's word for them.</param>
    /// <param name="transportKey">The lasting key of a node that serves; others make one anew each run.</param>
    public NodeIdentity(DeviceKeys device, Delegation delegation, TransportKey? transportKey = null)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(delegation);
        Device = device;
        Delegation = delegation;
        TransportKey = transportKey;
    }

    /// <summary>A node that serves others and is nobody itself: it neither dials nor accepts sessions.</summary>
    public NodeIdentity(TransportKey transportKey)
    {
        ArgumentNullException.ThrowIfNull(transportKey);
        TransportKey = transportKey;
    }

    public DeviceKeys? Device { get; }

    public Delegation? Delegation { get; }

    public TransportKey? TransportKey { get; }

    /// <summary>The owner's TrustID; none of a node that only serves.</summary>
    public TrustId TrustId => Delegation?.TrustId ?? default;
}
