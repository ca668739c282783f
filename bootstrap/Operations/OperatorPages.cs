using System.Text;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Carrier.Seed.Operations;

/// <summary>The two pages an operator's machines read: <c>/healthz</c> and <c>/metrics</c>. They change nothing and tell of nobody.</summary>
internal sealed class OperatorPages(SeedHealth health) : IHttpApplication<HttpContext>, IDisposable
{
    private const string PlainText = "text/plain; charset=utf-8";
    private const string MetricsText = "text/plain; version=0.0.4; charset=utf-8";

    private readonly MetricsReader _metrics = new();

    public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

    public async Task ProcessRequestAsync(HttpContext context)
    {
        if (!HttpMethods.IsGet(context.Request.Method))
        {
            context.Response.Headers.Allow = HttpMethods.Get;
            context.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
            return;
        }

        switch (context.Request.Path.Value)
        {
            case "/healthz":
                string? fault = await health.FindFaultAsync(context.RequestAborted).ConfigureAwait(false);
                context.Response.StatusCode = fault is null ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
                await WriteAsync(context, PlainText, (fault ?? "ok") + "\n").ConfigureAwait(false);
                break;
            case "/metrics":
                await WriteAsync(context, MetricsText, _metrics.Read()).ConfigureAwait(false);
                break;
            default:
                context.Response.StatusCode = StatusCodes.Status404NotFound;
                break;
        }
    }

    public void DisposeContext(HttpContext context, Exception? exception)
    {
        // a DefaultHttpContext owns nothing
    }

    public void Dispose() => _metrics.Dispose();

    private static async Task WriteAsync(HttpContext context, string type, string text)
    {
        byte[] body = Encoding.UTF8.GetBytes(text);
        context.Response.ContentType = type;
        context.Response.ContentLength = body.Length;
        await context.Response.Body.WriteAsync(body, context.RequestAborted).ConfigureAwait(false);
    }
}
