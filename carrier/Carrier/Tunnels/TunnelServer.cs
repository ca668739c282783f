using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Carrier.Core;
using Carrier.Driving;
using Microsoft.Extensions.Logging;

namespace Carrier.Tunnels;

/// <summary>Serves tunnels over TLS to those whose network carries no UDP. To the node each is one more endpoint: the address its connection comes from.</summary>
/// <remarks>
/// The certificate is made at the start and proves nothing: all that passes is sealed to the node's transport key or to a peer's, as over UDP, so whoever
/// sits in between learns and can do what any router on a UDP path could. TLS is there because networks that carry nothing else carry it.
/// </remarks>
internal sealed class TunnelServer : IAsyncDisposable
{
    /// <summary>Connections at once; each costs some 60 KB.</summary>
    public const int MaxTunnels = 1024;

    /// <summary>Of them from one source unit, IPv4 /24 or IPv6 /48: an office, not a botnet.</summary>
    public const int MaxTunnelsOfUnit = 128;

    /// <summary>Until TLS and the opening request are done.</summary>
    private static readonly TimeSpan OpeningPatience = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan KeepAliveInterval = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan CertificateLifetime = TimeSpan.FromDays(3650);

    private readonly TcpListener _listener;
    private readonly NodeThread _thread;
    private readonly X509Certificate2 _certificate;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<Task, Endpoint> _connections = new();
    private readonly Task _accepting;

    private TunnelServer(TcpListener listener, NodeThread thread, ILogger logger)
    {
        (_listener, _thread, _logger) = (listener, thread, logger);
        _certificate = MakeCertificate();
        _accepting = AcceptAsync(_stop.Token);
    }

    public IPEndPoint LocalEndpoint => (IPEndPoint)_listener.LocalEndpoint;

    /// <exception cref="SocketException">The address cannot be bound.</exception>
    public static TunnelServer Start(IPEndPoint listen, NodeThread thread, ILogger logger)
    {
        TcpListener listener = new(listen);
        if (listen.Address.Equals(IPAddress.IPv6Any))
        {
            listener.Server.DualMode = true;
        }

        listener.Start();
        return new TunnelServer(listener, thread, logger);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        _listener.Stop();
        await _accepting.ConfigureAwait(false);
        await Task.WhenAll(_connections.Keys).ConfigureAwait(false);
        _listener.Dispose();
        _certificate.Dispose();
        _stop.Dispose();
    }

    private static X509Certificate2 MakeCertificate()
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new("CN=carrier", key, HashAlgorithmName.SHA256);
        DateTimeOffset now = DateTimeOffset.UtcNow;
        using X509Certificate2 made = request.CreateSelfSigned(now.AddDays(-1), now + CertificateLifetime);

        // Windows serves only from a key that was imported.
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
    }

    private async Task AcceptAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            Socket socket;
            try
            {
                socket = await _listener.AcceptSocketAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (SocketException e)
            {
                TunnelLog.NotAccepted(_logger, e.SocketErrorCode); // a connection that was gone already, or no descriptor left
                await Task.Delay(TimeSpan.FromMilliseconds(100), CancellationToken.None).ConfigureAwait(false);
                continue;
            }

            Begin(socket, cancellationToken);
        }
    }

    private void Begin(Socket socket, CancellationToken cancellationToken)
    {
        Endpoint remote = socket.RemoteEndPoint is IPEndPoint from ? Endpoint.From(from) : default;
        if (remote.IsNone || _connections.Count >= MaxTunnels || _connections.Count(each => each.Value.SourceUnit == remote.SourceUnit) >= MaxTunnelsOfUnit)
        {
            socket.Dispose();
            return;
        }

        Task serving = Task.Run(() => ServeAsync(socket, remote, cancellationToken), CancellationToken.None);
        _ = _connections.TryAdd(serving, remote);
        _ = serving.ContinueWith(done => _connections.TryRemove(done, out _), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private async Task ServeAsync(Socket socket, Endpoint remote, CancellationToken cancellationToken)
    {
        socket.NoDelay = true;
        NetworkStream plain = new(socket, ownsSocket: true);
        SslStream stream = new(plain);
        await using (stream.ConfigureAwait(false))
        {
            try
            {
                if (await TryOpenAsync(stream, cancellationToken).ConfigureAwait(false))
                {
                    WebSocket web = WebSocket.CreateFromStream(
                        stream, new WebSocketCreationOptions { IsServer = true, SubProtocol = TunnelUpgrade.Protocol, KeepAliveInterval = KeepAliveInterval, KeepAliveTimeout = KeepAliveInterval });
                    await new Tunnel(web, remote, _thread).RunAsync(cancellationToken).ConfigureAwait(false);
                }
            }
            catch (Exception e) when (e is IOException or AuthenticationException or OperationCanceledException or SocketException or CarrierException)
            {
                return; // a stranger that speaks something else, or left, or we stop
            }
        }
    }

    private async Task<bool> TryOpenAsync(SslStream stream, CancellationToken cancellationToken)
    {
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(OpeningPatience);
        await stream.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = _certificate }, patience.Token).ConfigureAwait(false);
        byte[] head = new byte[TunnelUpgrade.MaxHeadBytes];
        int bytes = 0;
        while (bytes < head.Length && !head.AsSpan(0, bytes).EndsWith("\r\n\r\n"u8))
        {
            int read = await stream.ReadAsync(head.AsMemory(bytes), patience.Token).ConfigureAwait(false);
            if (read == 0)
            {
                return false;
            }

            bytes += read;
        }

        bool isTunnel = TunnelUpgrade.TryParse(head.AsSpan(0, bytes), out string key);
        await stream.WriteAsync(isTunnel ? TunnelUpgrade.Accept(key) : TunnelUpgrade.Refusal.ToArray(), patience.Token).ConfigureAwait(false);
        return isTunnel;
    }
}
