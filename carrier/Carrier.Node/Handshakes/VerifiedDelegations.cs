using System.Diagnostics.CodeAnalysis;
using Carrier.Core.Crypto;
using Carrier.Core.Identity;

namespace Carrier.Node.Handshakes;

/// <summary>Delegations whose signature was found good, so that a device that comes again costs no P-256. Validity and revocation are asked each time.</summary>
internal sealed class VerifiedDelegations
{
    /// <summary>Devices remembered, some 600 bytes each; the one entered longest ago gives way.</summary>
    public const int MaxDevices = 4_096;

    private readonly Dictionary<PublicKey, Delegation> _byDevice = [];
    private readonly Queue<PublicKey> _byAge = new();

    /// <summary>The delegation with these very bytes, if it was entered.</summary>
    public bool TryGet(in PublicKey device, ReadOnlySpan<byte> encoded, [NotNullWhen(true)] out Delegation? delegation)
    {
        if (_byDevice.TryGetValue(device, out delegation) && delegation.Encoded.Span.SequenceEqual(encoded))
        {
            return true;
        }

        delegation = null;
        return false;
    }

    /// <summary>Enters a delegation found valid; it replaces an earlier one of the same device.</summary>
    public void Add(Delegation delegation)
    {
        if (!_byDevice.ContainsKey(delegation.ExchangeKey))
        {
            if (_byAge.Count >= MaxDevices)
            {
                _ = _byDevice.Remove(_byAge.Dequeue());
            }

            _byAge.Enqueue(delegation.ExchangeKey);
        }

        _byDevice[delegation.ExchangeKey] = delegation;
    }
}
