using System.Diagnostics;
using System.Net;
using Carrier.Benchmarks.Seeds;
using Carrier.Core;
using Carrier.Core.Identity;

namespace Carrier.Benchmarks.Flood;

/// <summary>Legitimate dials while the flood runs: a device just started, that knows nothing but the seed, reaches another by its TrustID.</summary>
internal sealed class DialsBeside(SeedAddress seed) : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly DeviceKeys _listenerKeys = DeviceKeys.Generate(SystemRandomSource.Shared);
    private CarrierNode? _listener;

    /// <summary>From the call to the first byte back, of each dial that succeeded.</summary>
    public List<double> Seconds { get; } = [];

    /// <summary>What the dials that failed said.</summary>
    public List<string> Failures { get; } = [];

    public async Task StartAsync()
    {
        _listener = await StartNodeAsync(_listenerKeys);
        _ = _listener.Listen(Recording.Protocol, async (session, stop) =>
        {
            if (await session.AcceptStreamAsync(stop) is { } stream)
            {
                await stream.AsStream().WriteAsync(new byte[1], stop);
            }

            await session.Closed.WaitAsync(stop);
        });
        await _listener.WaitUntilReadyAsync().WaitAsync(Patience);
    }

    /// <summary>Dials every few seconds until told to stop, at least once.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        do
        {
            await DialAsync();
            await Task.WhenAny(Task.Delay(Interval, stop));
        }
        while (!stop.IsCancellationRequested);
    }

    public async ValueTask DisposeAsync()
    {
        if (_listener is not null)
        {
            await _listener.DisposeAsync();
        }

        _listenerKeys.Dispose();
    }

    private async Task DialAsync()
    {
        using var keys = DeviceKeys.Generate(SystemRandomSource.Shared);
        await using CarrierNode dialler = await StartNodeAsync(keys);
        long start = Stopwatch.GetTimestamp();
        try
        {
            await using CarrierSession session = await dialler.ConnectAsync(_listener!.TrustId, Recording.Protocol);
            CarrierStream stream = await session.OpenStreamAsync();
            await stream.AsStream().WriteAsync(new byte[1]);
            await stream.AsStream().ReadExactlyAsync(new byte[1]).AsTask().WaitAsync(Patience);
            Seconds.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        catch (Exception e) when (e is CarrierException or TimeoutException)
        {
            Failures.Add(e is CarrierException failure ? failure.Error.ToString() : "no first byte");
        }
    }

    private Task<CarrierNode> StartNodeAsync(DeviceKeys keys)
    {
        UnixTime now = new(DateTimeOffset.UtcNow.ToUnixTimeSeconds());
        using OwnerKey owner = DrivenDevice.NewOwner(SystemRandomSource.Shared);
        var delegation = Delegation.Issue(owner, keys, 1, now - TimeSpan.FromHours(1), now + TimeSpan.FromDays(1), DelegationUses.All);
        return CarrierNode.StartAsync(new CarrierNodeOptions
        {
            Identity = new NodeIdentity(keys, delegation),
            Listen = new IPEndPoint(IPAddress.Loopback, 0),
            Seeds = [seed],
        });
    }
}
