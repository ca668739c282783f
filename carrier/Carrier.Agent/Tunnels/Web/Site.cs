using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.FileProviders;

namespace Carrier.Agent.Tunnels.Web;

/// <summary>What Kestrel hands requests to.</summary>
internal sealed class Site(RequestDelegate pipeline) : IHttpApplication<HttpContext>
{
    public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

    public Task ProcessRequestAsync(HttpContext context) => pipeline(context);

    public void DisposeContext(HttpContext context, Exception? exception)
    {
    }
}

/// <summary>What the static file middleware asks of its host; its own options name the files.</summary>
internal sealed class SiteEnvironment(IFileProvider files) : IWebHostEnvironment
{
    public string WebRootPath { get; set; } = string.Empty;

    public IFileProvider WebRootFileProvider { get; set; } = files;

    public string ApplicationName { get; set; } = "carrier";

    public IFileProvider ContentRootFileProvider { get; set; } = files;

    public string ContentRootPath { get; set; } = string.Empty;

    public string EnvironmentName { get; set; } = "Production";
}
