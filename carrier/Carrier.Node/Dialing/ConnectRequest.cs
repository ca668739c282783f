using Carrier.Node.Homes;

namespace Carrier.Node.Dialing;

/// <summary>A home to ask for a relay channel to the device of an attempt, handing it the initiation.</summary>
internal readonly record struct ConnectRequest(DialAttempt Attempt, HomeContact Home);
