using System.Net;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Carrier.Seed.Operations;

/// <summary>The HTTP server of <see cref="OperatorPages"/>: Kestrel alone, without host, configuration or container of services, for the memory they cost.</summary>
internal sealed class OperatorServer : IAsyncDisposable
{
    /// <summary>Connections at once: a scraper or two, a health check, a curious operator.</summary>
    public const int MaxConnections = 32;

    /// <summary>Headers of one request; the pages use none of them.</summary>
    public const int MaxHeaderBytes = 8 << 10;

    private static readonly TimeSpan HeadersTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan KeepAliveTimeout = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(1);

    private readonly KestrelServer _kestrel;
    private readonly OperatorPages _pages;

    private OperatorServer(KestrelServer kestrel, OperatorPages pages) => (_kestrel, _pages) = (kestrel, pages);

    /// <summary>Where it listens, as <c>http://ip:port</c>.</summary>
    public string Address => _kestrel.Features.Get<IServerAddressesFeature>()!.Addresses.First();

    /// <exception cref="IOException">The address cannot be bound.</exception>
    public static async Task<OperatorServer> StartAsync(IPEndPoint listen, SeedHealth health, ILoggerFactory logs, CancellationToken cancellationToken)
    {
        KestrelServerOptions options = new() { AddServerHeader = false };
        options.Limits.MaxConcurrentConnections = MaxConnections;
        options.Limits.MaxRequestBodySize = 0;
        options.Limits.MaxRequestHeadersTotalSize = MaxHeaderBytes;
        options.Limits.MaxRequestLineSize = MaxHeaderBytes;
        options.Limits.RequestHeadersTimeout = HeadersTimeout;
        options.Limits.KeepAliveTimeout = KeepAliveTimeout;
        options.Listen(listen, endpoint => endpoint.Protocols = HttpProtocols.Http1);

        SocketTransportFactory transport = new(Options.Create(new SocketTransportOptions { IOQueueCount = 1 }), logs);
        KestrelServer kestrel = new(Options.Create(options), transport, logs);
        OperatorPages pages = new(health);
        try
        {
            await kestrel.StartAsync(pages, cancellationToken).ConfigureAwait(false);
            return new OperatorServer(kestrel, pages);
        }
        catch
        {
            kestrel.Dispose();
            pages.Dispose();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        using CancellationTokenSource patience = new(StopPatience);
        await _kestrel.StopAsync(patience.Token).ConfigureAwait(false);
        _kestrel.Dispose();
        _pages.Dispose();
    }
}
