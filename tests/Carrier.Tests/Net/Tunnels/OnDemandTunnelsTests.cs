using System.Collections.Concurrent;
using Carrier.Core;
using Carrier.Tunnels;

namespace Carrier.Tests.Net.Tunnels;

public sealed class OnDemandTunnelsTests : IDisposable
{
    private static readonly Endpoint One = Endpoint.FromIPv4(0x14000001, 4242);
    private static readonly Endpoint Other = Endpoint.FromIPv4(0x14000002, 4242);

    private readonly ConcurrentDictionary<Endpoint, TaskCompletionSource> _closed = new();
    private readonly SemaphoreSlim _opened = new(0);
    private HashSet<Endpoint> _inUse = [];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _opened.Dispose();

    [Fact]
    public async Task RunAsync_opens_each_wanted_one_once_and_closes_all_at_its_end()
    {
        OnDemandTunnels tunnels = New(TimeSpan.FromHours(1));
        using CancellationTokenSource stop = new();
        tunnels.Want(One);
        tunnels.Want(One);
        tunnels.Want(Other);
        Task run = tunnels.RunAsync(stop.Token);
        await _opened.WaitAsync(Cancel);
        await _opened.WaitAsync(Cancel);

        await stop.CancelAsync();
        await run.WaitAsync(Cancel);
        Assert.Equal((2, 0), (_closed.Count, tunnels.Count));
        Assert.All(_closed.Values, closed => Assert.True(closed.Task.IsCompleted));
        Assert.Equal(0, _opened.CurrentCount);
    }

    [Fact]
    public async Task RunAsync_closes_what_no_session_goes_through_and_opens_it_again_when_wanted()
    {
        OnDemandTunnels tunnels = New(TimeSpan.FromMilliseconds(1));
        _inUse = [One];
        using CancellationTokenSource stop = new();
        Task run = tunnels.RunAsync(stop.Token);
        tunnels.Want(One);
        tunnels.Want(Other);
        await _opened.WaitAsync(Cancel);
        await _opened.WaitAsync(Cancel);
        await _closed[Other].Task.WaitAsync(Cancel);
        Assert.False(_closed[One].Task.IsCompleted);

        tunnels.Want(Other);
        await _opened.WaitAsync(Cancel);
        await stop.CancelAsync();
        await run.WaitAsync(Cancel);
        Assert.True(_closed[One].Task.IsCompleted);
    }

    private OnDemandTunnels New(TimeSpan lookInterval) => new(() => Task.FromResult(_inUse), CarryAsync, lookInterval);

    private async Task CarryAsync(Endpoint server, CancellationToken cancellationToken)
    {
        TaskCompletionSource closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _closed[server] = closed;
        _ = _opened.Release();
        await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        closed.SetResult();
    }
}
