using System.Net;
using Carrier.Core;
using Carrier.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace Carrier.Tests.Sdk;

/// <summary>When a node looks at its interfaces. That the system tells of real changes is shown by <c>carrier-lab living --case family</c>.</summary>
public class NetworkChangesTests
{
    [Fact]
    public async Task A_change_ends_the_wait()
    {
        using NetworkChanges changes = new(NullLogger.Instance);
        Task<bool> waiting = changes.WaitAsync(Timeout.InfiniteTimeSpan, TestContext.Current.CancellationToken);
        Assert.False(waiting.IsCompleted);
        changes.OnChanged(null, EventArgs.Empty);
        Assert.True(await waiting);
    }

    [Fact]
    public async Task A_change_before_the_wait_is_not_missed_and_several_are_one()
    {
        using NetworkChanges changes = new(NullLogger.Instance);
        changes.OnChanged(null, EventArgs.Empty);
        changes.OnChanged(null, EventArgs.Empty);
        Assert.True(await changes.WaitAsync(Timeout.InfiniteTimeSpan, TestContext.Current.CancellationToken));
        Assert.False(changes.WaitAsync(Timeout.InfiniteTimeSpan, TestContext.Current.CancellationToken).IsCompleted);
    }

    [Theory]
    [InlineData(false, new string[0])]
    [InlineData(false, new[] { "fe80::1" })]
    [InlineData(true, new[] { "fe80::1", "2001:db8::1" })]
    [InlineData(true, new[] { "fe80::1", "192.168.1.2" })]
    [InlineData(true, new[] { "169.254.7.7" })]
    public void Between_two_networks_there_is_none(bool expected, string[] addresses) =>
        Assert.Equal(expected, HostEndpoints.AreOfANetwork([.. addresses.Select(address => Endpoint.From(new IPEndPoint(IPAddress.Parse(address), 4242)))]));
}
