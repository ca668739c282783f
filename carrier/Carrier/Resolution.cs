using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Identity;
using Carrier.Nat;

namespace Carrier;

/// <summary>What the network knows of a TrustID.</summary>
/// <param name="Devices">Its devices, none when it is unknown.</param>
public sealed record Resolution(TrustId Peer, IReadOnlyList<ResolvedDevice> Devices);

/// <summary>One device as its signed record describes it.</summary>
/// <param name="OwnerKey">The owner's key: the TrustID is its hash.</param>
/// <param name="ExchangeKey">The X25519 key its handshakes are made to.</param>
/// <param name="Candidates">Where it may be reached, best first.</param>
/// <param name="Homes">The nodes that forward to it.</param>
/// <param name="DelegationSerial">The serial of its owner's delegation.</param>
/// <param name="DelegatedUntil">The last second of that delegation.</param>
/// <param name="Expiry">When the record stops being true.</param>
public sealed record ResolvedDevice(
    OwnerPublicKey OwnerKey,
    PublicKey ExchangeKey,
    IReadOnlyList<Candidate> Candidates,
    IReadOnlyList<SeedAddress> Homes,
    ulong DelegationSerial,
    UnixTime DelegatedUntil,
    UnixTime Expiry);
