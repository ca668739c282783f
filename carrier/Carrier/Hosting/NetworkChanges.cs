using System.Net.NetworkInformation;
using Microsoft.Extensions.Logging;

namespace Carrier.Hosting;

/// <summary>Ends a wait early when this machine's addresses or routes change, as the system says: nobody has to look at them often.</summary>
internal sealed class NetworkChanges : IDisposable
{
    /// <summary>A change is several at once: an address goes, another comes, a route follows.</summary>
    private static readonly TimeSpan Settling = TimeSpan.FromMilliseconds(50);

    private readonly SemaphoreSlim _changed = new(0);

    /// <summary>How often to look at the addresses nevertheless: rarely where the system tells.</summary>
    public TimeSpan LookInterval { get; }

    public NetworkChanges(ILogger logger)
    {
        try
        {
            // On Linux the first tells IPv4 addresses at once, the second routes of both families, 150 ms later.
            NetworkChange.NetworkAddressChanged += OnChanged;
            NetworkChange.NetworkAvailabilityChanged += OnChanged;
            LookInterval = TimeSpan.FromMinutes(1);
        }
        catch (Exception e) when (e is NetworkInformationException or PlatformNotSupportedException)
        {
            NodeLog.NoNetworkChanges(logger, e.Message);
            LookInterval = TimeSpan.Zero; // at every wait's end
        }
    }

    /// <summary>Waits for the next change, and until it is whole, but not longer than <paramref name="longest"/>; true when there was one.</summary>
    public async Task<bool> WaitAsync(TimeSpan longest, CancellationToken cancellationToken)
    {
        if (!await _changed.WaitAsync(longest, cancellationToken).ConfigureAwait(false))
        {
            return false;
        }

        await Task.Delay(Settling, cancellationToken).ConfigureAwait(false);
        while (_changed.Wait(TimeSpan.Zero, CancellationToken.None))
        {
            // what came meanwhile is seen by the same look
        }

        return true;
    }

    public void Dispose()
    {
        NetworkChange.NetworkAddressChanged -= OnChanged;
        NetworkChange.NetworkAvailabilityChanged -= OnChanged;
    }

    internal void OnChanged(object? sender, EventArgs e)
    {
        if (_changed.CurrentCount == 0)
        {
            _ = _changed.Release();
        }
    }
}
