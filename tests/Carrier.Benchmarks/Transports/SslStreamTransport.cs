using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Carrier.Benchmarks.Transports;

/// <summary>TLS 1.3 over TCP as .NET gives it: the yardstick. Full handshakes, no resumption, a P-256 certificate, CUBIC on both sides.</summary>
internal sealed class SslStreamTransport : TransportUnderTest
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private Task _accepting = Task.CompletedTask;

    public override Task<string> ListenAsync(Func<Stream, Task> serve)
    {
        _listener.Start();
        UseCubic(_listener.Server);
        _accepting = AcceptAsync(serve);
        return Task.FromResult(((IPEndPoint)_listener.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture));
    }

    public override async Task<Stream> ConnectAsync(string arg)
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        UseCubic(socket);
        await socket.ConnectAsync(IPAddress.Loopback, int.Parse(arg, CultureInfo.InvariantCulture));
        SslStream stream = new(new NetworkStream(socket, ownsSocket: true));
        await stream.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "carrier-bench",
            EnabledSslProtocols = SslProtocols.Tls13,
            AllowTlsResume = false,
            RemoteCertificateValidationCallback = (_, _, _, _) => true,
        });
        return stream;
    }

    public override async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting;
        _stop.Dispose();
    }

    private static X509Certificate2 SelfSigned()
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new("CN=carrier-bench", key, HashAlgorithmName.SHA256);
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
    }

    /// <summary>Congestion control like the one Carrier uses; some kernels default to BBR, which paces loopback down.</summary>
    private static void UseCubic(Socket socket)
    {
        const int ipProtoTcp = 6;
        const int tcpCongestion = 13;
        if (OperatingSystem.IsLinux())
        {
            socket.SetRawSocketOption(ipProtoTcp, tcpCongestion, "cubic"u8);
        }
    }

    private async Task AcceptAsync(Func<Stream, Task> serve)
    {
        using X509Certificate2 certificate = SelfSigned();
        SslServerAuthenticationOptions options = new()
        {
            ServerCertificateContext = SslStreamCertificateContext.Create(certificate, null, offline: true),
            EnabledSslProtocols = SslProtocols.Tls13,
            AllowTlsResume = false,
        };
        List<Task> serving = [];
        try
        {
            while (true)
            {
                Socket socket = await _listener.AcceptSocketAsync(_stop.Token);
                serving.RemoveAll(task => task.IsCompleted);
                serving.Add(ServeOneAsync(socket, options, serve));
            }
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(serving);
        }
    }

    private static async Task ServeOneAsync(Socket socket, SslServerAuthenticationOptions options, Func<Stream, Task> serve)
    {
        socket.NoDelay = true;
        await using SslStream stream = new(new NetworkStream(socket, ownsSocket: true));
        try
        {
            await stream.AuthenticateAsServerAsync(options);
            await serve(stream);
        }
        catch (Exception e) when (e is IOException or AuthenticationException)
        {
            await Console.Error.WriteLineAsync($"a client went away: {e.Message}");
        }
    }
}
