using System.Net;
using System.Net.Security;
using System.Net.WebSockets;
using System.Security.Cryptography.X509Certificates;
using Carrier.Core;
using Carrier.Driving;
using Carrier.Node.Homes;
using Microsoft.Extensions.Logging;

namespace Carrier.Tunnels;

/// <summary>Notices that no UDP answer comes, goes through seeds over TLS meanwhile, and goes back to UDP when that works.</summary>
/// <remarks>Proxies are those of the environment (HTTPS_PROXY, ALL_PROXY, NO_PROXY; HTTP CONNECT and SOCKS), as <see cref="ClientWebSocket"/> honours them.</remarks>
internal sealed class TunnelClient : IAsyncDisposable
{
    /// <summary>As many as a device has homes.</summary>
    private const int MaxTunnels = HomeMachine.MaxHomes;

    /// <summary>How long after the start the first answer by UDP may take.</summary>
    private static readonly TimeSpan FirstAnswerPatience = TimeSpan.FromMilliseconds(500);

    /// <summary>Silence that says UDP went away: homes are asked every 20 s and again after 2, 4 and 6 s more.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(35);

    /// <summary>How often the count of answers is looked at; it wakes nobody.</summary>
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(5);

    /// <summary>How often UDP is tried while tunnelled.</summary>
    private static readonly TimeSpan ProbeInterval = TimeSpan.FromSeconds(10);

    /// <summary>How often tunnels to homes of peers are looked at that no session may go through any more.</summary>
    private static readonly TimeSpan UseInterval = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan OpeningPatience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan KeepAliveInterval = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(30);

    private readonly NodeThread _thread;
    private readonly HomeContact[] _seeds;
    private readonly ushort _port;
    private readonly ILogger _logger;
    private readonly OnDemandTunnels _onDemand;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _run;

    private TunnelClient(NodeThread thread, IEnumerable<HomeContact> seeds, ushort port, ILogger logger)
    {
        (_thread, _seeds, _port, _logger) = (thread, [.. seeds.Take(MaxTunnels)], port, logger);
        _onDemand = new OnDemandTunnels(thread.PathsInUseAsync, CarryAsync, UseInterval);
        _run = RunAsync(_stop.Token);
    }

    /// <summary>The machine wants a tunnel to a peer's home, while there is no UDP. Any thread.</summary>
    public void Want(Endpoint home) => _onDemand.Want(home);

    /// <summary>Begins to watch.</summary>
    /// <param name="thread">The node's.</param>
    /// <param name="seeds">Who may serve tunnels; the first few are used.</param>
    /// <param name="port">Their TCP port.</param>
    /// <param name="logger">Where it is said which way is taken.</param>
    public static TunnelClient Start(NodeThread thread, IEnumerable<HomeContact> seeds, ushort port, ILogger logger) => new(thread, seeds, port, logger);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _run.ConfigureAwait(false);
        _stop.Dispose();
    }

    /// <summary>Opens one tunnel's WebSocket.</summary>
    /// <exception cref="WebSocketException">The seed, or a proxy, would not.</exception>
    internal static async Task<WebSocket> ConnectAsync(IPEndPoint server, IWebProxy? proxy, CancellationToken cancellationToken)
    {
        ClientWebSocket socket = new();
        try
        {
            socket.Options.AddSubProtocol(TunnelUpgrade.Protocol);
            socket.Options.KeepAliveInterval = KeepAliveInterval;
            socket.Options.KeepAliveTimeout = KeepAliveInterval;
            using SocketsHttpHandler handler = new() { SslOptions = Unverified(), Proxy = proxy };
            using HttpMessageInvoker invoker = new(handler);
            Uri uri = new UriBuilder("wss", server.Address.ToString(), server.Port, TunnelUpgrade.Path).Uri;
            await socket.ConnectAsync(uri, invoker, cancellationToken).ConfigureAwait(false);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    // What passes is sealed to the seed's transport key: see TunnelServer. The policy keeps the machine's root certificates from being read for nothing.
    private static SslClientAuthenticationOptions Unverified() => new()
    {
        CertificateChainPolicy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
        },
#pragma warning disable CA5359 // see above
        RemoteCertificateValidationCallback = (_, _, _, _) => true,
#pragma warning restore CA5359
    };

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            await WaitForSilenceAsync(FirstAnswerPatience, FirstAnswerPatience, cancellationToken).ConfigureAwait(false);
            while (true)
            {
                TunnelLog.Blocked(_logger);
                await TunnelAsync(cancellationToken).ConfigureAwait(false);
                TunnelLog.Unblocked(_logger);
                await WaitForSilenceAsync(LookInterval, Silence, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            return; // the node is disposed
        }
        catch (CarrierException)
        {
            return; // the network thread failed and has said so
        }
    }

    /// <summary>Returns when answers by UDP have failed to come; after the first one patience is longer.</summary>
    private async Task WaitForSilenceAsync(TimeSpan look, TimeSpan patience, CancellationToken cancellationToken)
    {
        long seen = _thread.Machine.AnswersByUdp;
        Instant since = MonotonicClock.Now;
        while (true)
        {
            await Task.Delay(look, cancellationToken).ConfigureAwait(false);
            Instant now = MonotonicClock.Now;
            long answers = _thread.Machine.AnswersByUdp;
            if (answers != seen)
            {
                (seen, since, look, patience) = (answers, now, LookInterval, Silence);
            }
            else if (now - since >= patience)
            {
                return;
            }
        }
    }

    /// <summary>Keeps tunnels to the seeds until UDP works and no session needs them any more.</summary>
    private async Task TunnelAsync(CancellationToken cancellationToken)
    {
        using CancellationTokenSource all = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Dictionary<Endpoint, (CancellationTokenSource Stop, Task Run)> links = [];
        foreach (HomeContact seed in _seeds)
        {
            var stop = CancellationTokenSource.CreateLinkedTokenSource(all.Token);
            if (!links.TryAdd(seed.Endpoint, (stop, KeepOpenAsync(seed.Endpoint, stop.Token))))
            {
                stop.Dispose();
            }
        }

        Task onDemand = _onDemand.RunAsync(all.Token);
        try
        {
            _ = await TellBlockedAsync(true).ConfigureAwait(false);

            // The first look is at once: UDP may only have been slow.
            for (; links.Count + _onDemand.Count > 0; await Task.Delay(ProbeInterval, cancellationToken).ConfigureAwait(false))
            {
                bool[] answers = await Task.WhenAll(_seeds.Select(seed => UdpProbe.AnswersAsync(seed.Endpoint, cancellationToken))).ConfigureAwait(false);
                bool isBlocked = !answers.Contains(true);
                _ = await TellBlockedAsync(isBlocked).ConfigureAwait(false);
                if (isBlocked)
                {
                    continue;
                }

                // A session may still flow through one: the others give it addresses to be met at directly, and then this one goes too.
                HashSet<Endpoint> inUse = await _thread.PathsInUseAsync().ConfigureAwait(false);
                foreach (Endpoint idle in links.Keys.Where(seed => !inUse.Contains(seed)).ToArray())
                {
                    await EndAsync(links[idle]).ConfigureAwait(false);
                    _ = links.Remove(idle);
                }
            }
        }
        finally
        {
            await all.CancelAsync().ConfigureAwait(false);
            await onDemand.ConfigureAwait(false);
            foreach ((CancellationTokenSource Stop, Task Run) link in links.Values)
            {
                await EndAsync(link).ConfigureAwait(false);
            }
        }
    }

    private Task<bool> TellBlockedAsync(bool isBlocked) => _thread.AskAsync(now =>
    {
        _thread.Machine.SetUdpBlocked(now, isBlocked);
        return isBlocked;
    });

    private static async Task EndAsync((CancellationTokenSource Stop, Task Run) link)
    {
        await link.Stop.CancelAsync().ConfigureAwait(false);
        await link.Run.ConfigureAwait(false);
        link.Stop.Dispose();
    }

    /// <summary>One seed's tunnel, opened again whenever it breaks, until cancelled.</summary>
    private async Task KeepOpenAsync(Endpoint seed, CancellationToken cancellationToken)
    {
        TimeSpan backoff = TimeSpan.FromSeconds(1);
        while (!cancellationToken.IsCancellationRequested)
        {
            bool stood = await CarryAsync(seed, cancellationToken).ConfigureAwait(false);
            backoff = stood ? TimeSpan.FromSeconds(1) : backoff;
            await Task.Delay(backoff, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            backoff = backoff * 2 < LongestBackoff ? backoff * 2 : LongestBackoff;
        }
    }

    /// <summary>Opens a tunnel and carries until it breaks or is cancelled; false when it never stood.</summary>
    private async Task<bool> CarryAsync(Endpoint server, CancellationToken cancellationToken)
    {
        bool stood = false;
        try
        {
            using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            patience.CancelAfter(OpeningPatience);
            WebSocket socket = await ConnectAsync(server.WithPort(_port).ToIPEndPoint(), proxy: null, patience.Token).ConfigureAwait(false);
            TunnelLog.Opened(_logger);
            stood = true;
            await new Tunnel(socket, server, _thread).RunAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or CarrierException)
        {
            TunnelLog.NotOpened(_logger, e.GetType().Name);
        }

        return stood;
    }
}
