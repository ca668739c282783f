using System.Diagnostics;
using System.Globalization;

namespace Carrier.Tests.Agent;

/// <summary>What an agent that nobody talks to keeps in memory.</summary>
public sealed class AgentAtRestTests : IAsyncDisposable
{
    private readonly AgentProcesses _processes = new();

    public ValueTask DisposeAsync() => _processes.DisposeAsync();

    [Fact]
    public async Task Agent_at_rest_maps_no_library_that_only_owners_signatures_need()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "What a process maps is told by Linux alone.");
        await _processes.InitAsync("a");
        await _processes.AddSeedAsync();
        for (int start = 0; start < 2; start++) // a first start, and one that finds its own record in the DHT
        {
            Process agent = await _processes.UpAsync("a");
            string maps = await File.ReadAllTextAsync(string.Create(CultureInfo.InvariantCulture, $"/proc/{agent.Id}/maps"), TestContext.Current.CancellationToken);
            Assert.Contains("libsodium", maps, StringComparison.Ordinal);
            Assert.DoesNotContain("libcrypto", maps, StringComparison.Ordinal);
            Assert.DoesNotContain("BouncyCastle", maps, StringComparison.Ordinal);
            await AgentProcesses.KillAsync(agent);
        }
    }
}
