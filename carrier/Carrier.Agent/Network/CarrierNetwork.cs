namespace Carrier.Agent.Network;

/// <summary>The SDK's node behind the agent's seam.</summary>
internal static class CarrierNetwork
{
    public static Task<INetwork> StartAsync(NodeSettings settings, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        settings.Keys.Dispose();
        throw new NetworkException(NetworkFailure.Stopped, "This build has no node.");
    }
}
