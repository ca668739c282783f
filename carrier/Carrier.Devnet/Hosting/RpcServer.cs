using System.Net;
using System.Net.Mime;
using System.Security.Cryptography;
using System.Text;
using Carrier.Devnet.Rpc;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Carrier.Devnet.Hosting;

/// <summary>Answers one request body.</summary>
internal delegate RpcReply RpcAnswer(ReadOnlySpan<byte> body);

/// <summary>JSON-RPC over HTTP on loopback, with the node's refusals of what is no call: other methods, other contents, wrong credentials.</summary>
internal sealed class RpcServer : IAsyncDisposable
{
    /// <summary>The greatest transaction in hex, and room for the call around it.</summary>
    public const int MaxBodyBytes = 17_000_000;

    private static readonly string[] OwnNames = ["localhost", "127.0.0.1", "[::1]"];

    private readonly WebApplication _application;
    private readonly RpcAnswer _answer;
    private readonly byte[]? _credentials;

    private RpcServer(WebApplication application, RpcAnswer answer, DevnetOptions options)
    {
        _application = application;
        _answer = answer;
        _credentials = options.User.Length + options.Password.Length == 0 ? null
            : Encoding.UTF8.GetBytes("Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{options.User}:{options.Password}")));
    }

    public Uri Address => new(_application.Urls.Single());

    public static async Task<RpcServer> StartAsync(RpcAnswer answer, DevnetOptions options, CancellationToken cancellationToken)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        _ = builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, options.RpcPort);
            kestrel.Limits.MaxRequestBodySize = MaxBodyBytes;
            kestrel.AddServerHeader = false;
        });
        WebApplication application = builder.Build();
        var server = new RpcServer(application, answer, options);
        application.Run(server.HandleAsync);
        await application.StartAsync(cancellationToken).ConfigureAwait(false);
        return server;
    }

    public ValueTask DisposeAsync() => _application.DisposeAsync();

    private async Task HandleAsync(HttpContext context)
    {
        RpcReply reply = Refusal(context.Request) ?? await AnswerAsync(context.Request, context.RequestAborted).ConfigureAwait(false);
        context.Response.StatusCode = reply.Status;
        context.Response.ContentType = MediaTypeNames.Application.Json;
        await context.Response.WriteAsync(reply.Body.ToJsonString(), context.RequestAborted).ConfigureAwait(false);
    }

    private async Task<RpcReply> AnswerAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        using var body = new MemoryStream();
        await request.Body.CopyToAsync(body, cancellationToken).ConfigureAwait(false);
        return _answer(body.GetBuffer().AsSpan(0, (int)body.Length));
    }

    /// <summary>What is wrong with a request before its body is looked at, in the node's words.</summary>
    private RpcReply? Refusal(HttpRequest request)
    {
        if (!OwnNames.Contains(request.Host.Host))
        {
            // A page whose name was made to point here must not be able to ask.
            return RpcReply.Refuse(StatusCodes.Status403Forbidden, RpcError.Internal, "JSON-RPC is for this machine only");
        }

        if (!HttpMethods.IsPost(request.Method))
        {
            return RpcReply.Refuse(StatusCodes.Status405MethodNotAllowed, RpcError.Internal, "JSON-RPC protocol only allows POST method");
        }

        string media = (request.ContentType ?? "").Split(';')[0].Trim();
        if (media is not (MediaTypeNames.Application.Json or MediaTypeNames.Text.Plain))
        {
            return RpcReply.Refuse(
                StatusCodes.Status415UnsupportedMediaType, RpcError.Internal, "JSON-RPC need content type to be application/json or text/plain");
        }

        bool isAllowed = _credentials is null
            || CryptographicOperations.FixedTimeEquals(_credentials, Encoding.UTF8.GetBytes(request.Headers.Authorization.ToString()));
        return isAllowed ? null : RpcReply.Refuse(StatusCodes.Status401Unauthorized, RpcError.Internal, "Client authenticate failed");
    }
}
