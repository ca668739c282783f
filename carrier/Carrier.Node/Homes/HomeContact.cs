using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Nat;

namespace Carrier.Node.Homes;

/// <summary>A public node that may be, or is, one of a device's homes.</summary>
/// <param name="Key">Its transport key, which sealed questions are sealed to.</param>
public readonly record struct HomeContact(PublicKey Key, Endpoint Endpoint)
{
    /// <summary>The address as one more that a record names.</summary>
    public Candidate Candidate => new(CandidateKind.Relay, Endpoint);
}
