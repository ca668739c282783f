using Carrier.Core.Crypto;
using Carrier.Core.Identity;

namespace Carrier.Node;

/// <summary>Who this device is: its keys and its owner's word for them. The node borrows the keys; whoever made them disposes them.</summary>
public sealed class LocalIdentity : IDisposable
{
    private readonly byte[] _trustId = new byte[TrustId.Bytes];

    public LocalIdentity(DeviceKeys device, Delegation delegation)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(delegation);
        if (delegation.ExchangeKey != device.ExchangeKey || delegation.SigningKey != device.SigningKey)
        {
            throw new ArgumentException("The delegation is of another device's keys.", nameof(delegation));
        }

        Device = device;
        Delegation = delegation;
        ExchangeKey = TransportKey.Import(device.ExchangePrivate);
        delegation.TrustId.CopyTo(_trustId);
    }

    public DeviceKeys Device { get; }

    public Delegation Delegation { get; }

    public TrustId TrustId => Delegation.TrustId;

    /// <summary>The device's X25519 key in the form handshakes take.</summary>
    internal TransportKey ExchangeKey { get; }

    internal ReadOnlySpan<byte> TrustIdBytes => _trustId;

    public void Dispose() => ExchangeKey.Dispose();
}
