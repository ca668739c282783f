using System.Net;
using Carrier.Agent.Network;
using Carrier.Core.Identity;

namespace Carrier.Agent.Tunnels.Forwarding;

/// <summary><c>carrier socks</c>: a SOCKS5 port (RFC 1928, CONNECT, no authentication) for names under <c>.carrier</c> and nothing else.</summary>
internal sealed class SocksServer : IForward
{
    private readonly Forwarder _forwarder;
    private readonly LocalPort _port;

    /// <exception cref="State.AgentException">The port is taken.</exception>
    public SocksServer(SocksDefinition definition, Forwarder forwarder)
    {
        _forwarder = forwarder;
        _port = LocalPort.Open(definition.Bind, definition.Port, ServeAsync);
    }

    public IPEndPoint Address => _port.Address;

    public TunnelTotals Totals { get; } = new();

    public ValueTask DisposeAsync() => _port.DisposeAsync();

    private static SocksReply ReplyTo(TunnelEnd? end) => end switch
    {
        null => SocksReply.Succeeded,
        TunnelEnd.Refused => SocksReply.NotAllowed,
        TunnelEnd.PeerUnreachable => SocksReply.HostUnreachable,
        TunnelEnd.TargetUnreachable or TunnelEnd.Busy => SocksReply.ConnectionRefused,
        _ => SocksReply.GeneralFailure,
    };

    private static async ValueTask<bool> TryFillAsync(LocalEnd local, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (!buffer.IsEmpty)
        {
            int read = await local.ReceiveAsync(buffer, cancellationToken).ConfigureAwait(false);
            if (read == 0)
            {
                return false;
            }

            buffer = buffer[read..];
        }

        return true;
    }

    private async Task ServeAsync(SocketEnd local, CancellationToken cancellationToken)
    {
        byte[]? request;
        try
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            patience.CancelAfter(TunnelLimits.Patience);
            request = await GreetAsync(local, patience.Token).ConfigureAwait(false);
            if (request is null)
            {
                return;
            }

            if (SocksGreeting.TryRead(request, out TrustId peer, out ServiceName service) is var reply and not SocksReply.Succeeded)
            {
                Totals.Fail();
                await local.SendAsync(SocksGreeting.Reply(reply), patience.Token).ConfigureAwait(false);
                return;
            }

            await _forwarder.RunAsync(
                peer, service, "socks", local, Totals,
                end => local.SendAsync(SocksGreeting.Reply(ReplyTo(end)), cancellationToken), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or NetworkException)
        {
            // Told already, or there is nobody left to tell.
        }
    }

    /// <summary>Agrees on no authentication and reads the request; null when the client is none.</summary>
    private static async ValueTask<byte[]?> GreetAsync(LocalEnd local, CancellationToken cancellationToken)
    {
        byte[] methods = new byte[2 + byte.MaxValue];
        if (!await TryFillAsync(local, methods.AsMemory(0, 2), cancellationToken).ConfigureAwait(false) || methods[0] != SocksGreeting.Version
            || !await TryFillAsync(local, methods.AsMemory(2, methods[1]), cancellationToken).ConfigureAwait(false))
        {
            return null;
        }

        bool agreed = methods.AsSpan(2, methods[1]).Contains(SocksGreeting.NoAuthentication);
        byte[] choice = [SocksGreeting.Version, agreed ? SocksGreeting.NoAuthentication : SocksGreeting.NoMethod];
        await local.SendAsync(choice, cancellationToken).ConfigureAwait(false);
        byte[] request = new byte[SocksGreeting.MaxRequestBytes];
        if (!agreed || !await TryFillAsync(local, request.AsMemory(0, 5), cancellationToken).ConfigureAwait(false))
        {
            return null;
        }

        int bytes = SocksGreeting.RequestBytes(request);
        return bytes > 5 && await TryFillAsync(local, request.AsMemory(5, bytes - 5), cancellationToken).ConfigureAwait(false) ? request[..bytes] : request[..5];
    }
}
