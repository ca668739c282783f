using System.Net.Sockets;
using System.Runtime.InteropServices;
using Carrier.Core;
using Carrier.Seed.Configuration;
using Carrier.Seed.Operations;
using Microsoft.Extensions.Logging;

namespace Carrier.Seed;

/// <summary>A seed from its start to the signal that ends it.</summary>
internal sealed class SeedServer(SeedConfig config, CarrierNode node, SeedHealth health, ILogger logger)
{
    /// <summary>How often a draining seed looks whether anything is still relayed.</summary>
    private static readonly TimeSpan DrainLook = TimeSpan.FromMilliseconds(250);

    /// <summary>Serves until SIGTERM or SIGINT, drains, and returns the process's exit code.</summary>
    public static async Task<int> RunAsync(SeedConfig config, CancellationToken cancellationToken)
    {
        using ILoggerFactory logs = SeedLog.Create(config.Log, config.LogLevel);
        ILogger logger = logs.CreateLogger("Carrier.Seed");
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal => Stop(signal, stop));
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal => Stop(signal, stop));
        try
        {
            using var state = SeedState.Open(config.State, SystemRandomSource.Shared);
            return await ServeAsync(config, state, logs, logger, stop.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return 0; // told to stop before it served
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or SocketException)
        {
            SeedLog.CannotServe(logger, e.Message);
            return 1;
        }
    }

    private static async Task<int> ServeAsync(SeedConfig config, SeedState state, ILoggerFactory logs, ILogger logger, CancellationToken stop)
    {
        if (!AdvertisedAddress.TryChoose(config, AdvertisedAddress.OfThisMachine(), out Endpoint advertised))
        {
            SeedLog.CannotServe(logger, "this machine has no address, or several: say with advertise which one others reach.");
            return 1;
        }

        CarrierNode node = await CarrierNode.StartAsync(
            new CarrierNodeOptions
            {
                Identity = new NodeIdentity(state.Key),
                Listen = config.Listen,
                Serve = true,
                Advertise = advertised.Port == 0 ? null : advertised,
                Seeds = [.. config.Seeds.Where(seed => seed.Key != state.Key.Public)], // one list for all seeds names this one too
                Relay = config.Relay,
                TunnelListen = config.TunnelPort is { } port ? new System.Net.IPEndPoint(config.Listen.Address, port) : null,
                StateDirectory = config.State,
                LoggerFactory = logs,
            },
            stop).ConfigureAwait(false);
        await using (node.ConfigureAwait(false))
        {
            return await new SeedServer(config, node, new SeedHealth(node), logger).ServeAsync(logs, stop).ConfigureAwait(false);
        }
    }

    // A second signal, or one that finds the drain under way, is the operator's impatience: it ends the process at once.
    private static void Stop(PosixSignalContext signal, CancellationTokenSource stop)
    {
        signal.Cancel = !stop.IsCancellationRequested;
        stop.Cancel();
    }

    private async Task<int> ServeAsync(ILoggerFactory logs, CancellationToken stop)
    {
        OperatorServer? http = config.Http is { } at ? await OperatorServer.StartAsync(at, health, logs, stop).ConfigureAwait(false) : null;
        try
        {
            await node.WaitUntilReadyAsync(stop).ConfigureAwait(false);
            SeedAddress address = node.ServingAddress!.Value;
            SeedLog.Serving(logger, address, http?.Address ?? "no address");
            if (Endpoint.TryParse(address.ToString().Split('@')[^1], out Endpoint advertised) && advertised.Scope < AddressScope.Global)
            {
                SeedLog.NotPublic(logger, advertised, advertised.Scope);
            }

            await Console.Out.WriteLineAsync($"READY {address}").ConfigureAwait(false);
            _ = await Task.WhenAny(node.Stopped, Task.Delay(Timeout.Infinite, stop)).ConfigureAwait(false);
            if (node.Stopped.IsCompleted)
            {
                SeedLog.NodeStopped(logger);
                return 1;
            }

            await DrainAsync().ConfigureAwait(false);
            return 0;
        }
        finally
        {
            if (http is not null)
            {
                await http.DisposeAsync().ConfigureAwait(false);
            }
        }
    }

    /// <summary>Takes nothing new, and lets those relayed for go on until all is still or the time is up.</summary>
    private async Task DrainAsync()
    {
        SeedLog.Draining(logger, config.Drain);
        health.IsDraining = true;
        using CancellationTokenSource patience = new(config.Drain);
        long relayed = 0;
        try
        {
            await node.DrainAsync(patience.Token).ConfigureAwait(false);
            long before;
            do
            {
                before = relayed;
                await Task.Delay(DrainLook, patience.Token).ConfigureAwait(false);
                relayed = (await node.GetStatusAsync(patience.Token).ConfigureAwait(false)).RelayedBytes;
            }
            while (relayed != before);
        }
        catch (OperationCanceledException)
        {
            // the time is up: devices find another home when this one no longer answers
        }
        catch (CarrierException)
        {
            return; // the node has stopped meanwhile and has said so
        }

        SeedLog.Drained(logger, relayed);
    }
}
