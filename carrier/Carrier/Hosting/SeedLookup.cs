using System.Net;
using System.Net.Sockets;
using Carrier.Core;
using Carrier.Node.Homes;
using Microsoft.Extensions.Logging;

namespace Carrier.Hosting;

/// <summary>Turns the seeds a node was given into endpoints.</summary>
internal static class SeedLookup
{
    /// <summary>A name server that is slower does not hold up the start.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    public static async Task<HomeContact[]> ResolveAsync(IReadOnlyList<SeedAddress> seeds, ILogger logger, CancellationToken cancellationToken)
    {
        HomeContact[][] found = await Task.WhenAll(seeds.Select(seed => ResolveAsync(seed, logger, cancellationToken))).ConfigureAwait(false);
        return [.. found.SelectMany(contacts => contacts)];
    }

    private static async Task<HomeContact[]> ResolveAsync(SeedAddress seed, ILogger logger, CancellationToken cancellationToken)
    {
        if (IPAddress.TryParse(seed.Host, out IPAddress? address))
        {
            return [Contact(seed, address)];
        }

        using CancellationTokenSource timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(Patience);
        try
        {
            IPAddress[] addresses = await Dns.GetHostAddressesAsync(seed.Host, timeout.Token).ConfigureAwait(false);
            return [.. addresses.Select(each => Contact(seed, each))];
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            NodeLog.SeedUnknown(logger, seed.Host);
            return [];
        }
    }

    private static HomeContact Contact(SeedAddress seed, IPAddress address) => new(seed.Key, Endpoint.From(new IPEndPoint(address, seed.Port)));
}
