namespace Carrier.Seed.Operations;

/// <summary>Whether the seed serves: its network thread comes around, with its socket, and it is not about to stop.</summary>
internal sealed class SeedHealth(CarrierNode node)
{
    /// <summary>How long the network thread may take for a turn.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private volatile bool _isDraining;

    public bool IsDraining
    {
        get => _isDraining;
        set => _isDraining = value;
    }

    /// <summary>Null when the seed serves, else why it does not.</summary>
    public async Task<string?> FindFaultAsync(CancellationToken cancellationToken)
    {
        if (IsDraining)
        {
            return "draining";
        }

        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(Patience);
        try
        {
            NodeStatus status = await node.GetStatusAsync(timeout.Token).ConfigureAwait(false);
            return status.IsReady ? null : "not ready";
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return "the network thread did not come around within a second";
        }
        catch (CarrierException)
        {
            return "the node has stopped";
        }
    }
}
