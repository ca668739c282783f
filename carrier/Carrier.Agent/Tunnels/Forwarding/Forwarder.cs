using Carrier.Agent.Network;
using Carrier.Core.Identity;

namespace Carrier.Agent.Tunnels.Forwarding;

/// <summary>Takes one local connection to a peer's service, and writes what became of it.</summary>
internal sealed class Forwarder(PeerLinks links, AccessLog log, TimeProvider time)
{
    /// <summary>Runs a connection to its end: its bytes follow the request at once, whatever the answer will be.</summary>
    /// <param name="via"><c>forward</c>, <c>socks</c> or <c>pipe</c>.</param>
    public Task<TunnelEnd> RunAsync(
        TrustId peer, ServiceName service, string via, LocalEnd local, TunnelTotals totals, CancellationToken cancellationToken) =>
        RunAsync(peer, service, via, local, totals, answered: null, cancellationToken);

    /// <summary>Runs a connection, but first awaits the answer and tells <paramref name="answered"/> of it: null for yes, else how it ended.</summary>
    /// <exception cref="NetworkException">The peer was not reached; only where <paramref name="answered"/> is given, and told first.</exception>
    public async Task<TunnelEnd> RunAsync(
        TrustId peer,
        ServiceName service,
        string via,
        LocalEnd local,
        TunnelTotals totals,
        Func<TunnelEnd?, ValueTask>? answered,
        CancellationToken cancellationToken)
    {
        long begun = time.GetTimestamp();
        var meter = new TunnelMeter(totals);
        totals.Begin();
        TunnelEnd end = TunnelEnd.PeerUnreachable;
        try
        {
            using Tunnel tunnel = await links.OpenAsync(peer, service, null, cancellationToken).ConfigureAwait(false);
            end = await RunAsync(tunnel, local, meter, answered, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is NetworkException or OperationCanceledException)
        {
            end = e is NetworkException ? TunnelEnd.PeerUnreachable : TunnelEnd.Stopped;
            if (answered is null)
            {
                local.Reset();
                return end;
            }

            await TellAsync(answered, end).ConfigureAwait(false);
            throw;
        }
        finally
        {
            totals.End();
            if (end is not (TunnelEnd.Closed or TunnelEnd.LocalReset or TunnelEnd.PeerReset or TunnelEnd.Stopped))
            {
                totals.Fail();
            }

            log.Write(new AccessEntry(
                "out", peer.ToString(), service.Text, "tcp", via, Math.Round(time.GetElapsedTime(begun).TotalMilliseconds, 1), meter.BytesIn, meter.BytesOut, end));
        }

        return end;
    }

    private static async Task<TunnelEnd> RunAsync(
        Tunnel tunnel, LocalEnd local, TunnelMeter meter, Func<TunnelEnd?, ValueTask>? answered, CancellationToken cancellationToken)
    {
        if (answered is null)
        {
            return await Pump.RunAsync(tunnel.Stream, local, meter, readsAnswer: true, cancellationToken).ConfigureAwait(false);
        }

        TunnelOutcome outcome;
        try
        {
            outcome = await Pump.ReadAnswerAsync(tunnel.Stream.Input, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            Pump.CutOff(tunnel.Stream);
            TunnelEnd cut = e is IOException ? TunnelEnd.PeerReset : TunnelEnd.Stopped;
            await TellAsync(answered, cut).ConfigureAwait(false);
            return cut;
        }

        if (outcome != TunnelOutcome.Open)
        {
            Pump.CutOff(tunnel.Stream);
            await TellAsync(answered, Pump.EndOf(outcome)).ConfigureAwait(false);
            return Pump.EndOf(outcome);
        }

        await TellAsync(answered, null).ConfigureAwait(false);
        return await Pump.RunAsync(tunnel.Stream, local, meter, readsAnswer: false, cancellationToken).ConfigureAwait(false);
    }

    private static async ValueTask TellAsync(Func<TunnelEnd?, ValueTask>? answered, TunnelEnd? end)
    {
        if (answered is null)
        {
            return;
        }

        try
        {
            await answered(end).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // It went while it was waited for; the next byte finds out.
        }
    }
}
