using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Identity;
using Carrier.Node.Homes;

namespace Carrier.Node.Peers;

/// <summary>One device of a TrustID as its signed record describes it.</summary>
/// <param name="Delegation">The owner's word for the device; verified when it was learnt, judged again when it is dialled.</param>
/// <param name="Record">How to reach it.</param>
/// <param name="Sequence">The record's sequence; a higher one replaces it. Zero for what was heard on a link and nobody signed.</param>
/// <param name="Expiry">When the record stops being true.</param>
public sealed record PeerDevice(Delegation Delegation, DeviceRecord Record, ulong Sequence, UnixTime Expiry)
{
    /// <summary>The static key its handshakes are made to.</summary>
    public PublicKey ExchangeKey => Delegation.ExchangeKey;
}
