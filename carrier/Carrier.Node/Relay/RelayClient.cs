using Carrier.Core;

namespace Carrier.Node.Relay;

/// <summary>The registered side of relay channels: where the device is, what it has spent, which channels it has.</summary>
/// <remarks>Made by the home that holds the registration. Channels follow <see cref="Endpoint"/>, so a device that registers again from a new
/// endpoint, having proved itself, is rebound on all of them at once.</remarks>
public sealed class RelayClient(Endpoint endpoint)
{
    internal TokenBucket Budget;
    internal TokenBucket Introductions;

    /// <summary>The proven source of the latest registration. Never an address that somebody merely named.</summary>
    public Endpoint Endpoint { get; set; } = endpoint;

    /// <summary>Indexes into the relay's channels; null until the first, since most devices sit idle.</summary>
    internal List<int>? Channels { get; set; }
}
