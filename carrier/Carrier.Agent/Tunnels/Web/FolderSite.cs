using System.IO.Pipelines;
using System.Text.Encodings.Web;
using Carrier.Agent.State;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.StaticFiles;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Carrier.Agent.Tunnels.Web;

/// <summary>A folder as a web site: Kestrel and its static files over pipes in this process. No port is opened, and nothing of ASP.NET Core is loaded before the first.</summary>
internal sealed class FolderSite : IAsyncDisposable
{
    /// <summary>What waits in a pipe each way before its writer waits.</summary>
    private const int PauseBytes = 256 << 10;

    /// <summary>A request of a static site has no body worth reading.</summary>
    private const int MaxBodyBytes = 64 << 10;

    private readonly KestrelServer _server;
    private readonly PipeTransport _transport;

    private FolderSite(KestrelServer server, PipeTransport transport)
    {
        _server = server;
        _transport = transport;
    }

    /// <exception cref="AgentException">There is no such folder.</exception>
    public static FolderSite Start(string folder, bool lists)
    {
        if (!Path.IsPathFullyQualified(folder) || !Directory.Exists(folder))
        {
            throw new AgentException(ExitCode.Usage, $"There is no folder '{folder}' to serve.");
        }

        var options = new KestrelServerOptions { AddServerHeader = false, AllowSynchronousIO = false };
        options.Limits.MaxRequestBodySize = MaxBodyBytes;
        // Connections are bounded and rated where they come in; a slow reader is the tunnel's back-pressure, not an attack.
        options.Limits.MinResponseDataRate = null;
        var transport = new PipeTransport();
        options.Listen(transport.EndPoint, listen => listen.Protocols = HttpProtocols.Http1);
        var server = new KestrelServer(Options.Create(options), transport, NullLoggerFactory.Instance);
        // Binding a transport without a socket completes at once.
        server.StartAsync(new Site(Pipeline(folder, lists)), CancellationToken.None).GetAwaiter().GetResult();
        return new FolderSite(server, transport);
    }

    /// <summary>Opens a connection to the site.</summary>
    public LocalEnd Connect()
    {
        var options = new PipeOptions(pauseWriterThreshold: PauseBytes, resumeWriterThreshold: PauseBytes / 2, useSynchronizationContext: false);
        var there = new Pipe(options);
        var back = new Pipe(options);
        _transport.Offer(new Duplex(there.Reader, back.Writer));
        return new PipeEnd(new Duplex(back.Reader, there.Writer));
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync().ConfigureAwait(false);
        await _server.StopAsync(now.Token).ConfigureAwait(false);
        _server.Dispose();
    }

    private static RequestDelegate Pipeline(string folder, bool lists)
    {
        var files = new RootedFiles(folder);
        var environment = new SiteEnvironment(files);
        RequestDelegate next = NothingAsync;
        if (lists)
        {
            next = new DirectoryBrowserMiddleware(
                next, environment, HtmlEncoder.Default, Options.Create(new DirectoryBrowserOptions { FileProvider = files })).Invoke;
        }

        var options = new StaticFileOptions
        {
            FileProvider = files,
            ServeUnknownFileTypes = true,
            DefaultContentType = "application/octet-stream",
            OnPrepareResponse = response => response.Context.Response.Headers.XContentTypeOptions = "nosniff",
        };
        next = new StaticFileMiddleware(next, environment, Options.Create(options), NullLoggerFactory.Instance).Invoke;
        return new DefaultFilesMiddleware(next, environment, Options.Create(new DefaultFilesOptions { FileProvider = files })).Invoke;
    }

    private static Task NothingAsync(HttpContext context)
    {
        bool reads = HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method);
        context.Response.StatusCode = reads ? StatusCodes.Status404NotFound : StatusCodes.Status405MethodNotAllowed;
        if (!reads)
        {
            context.Response.Headers.Allow = "GET, HEAD";
        }

        return Task.CompletedTask;
    }

    private sealed class Duplex(PipeReader input, PipeWriter output) : IDuplexPipe
    {
        public PipeReader Input { get; } = input;

        public PipeWriter Output { get; } = output;
    }
}
