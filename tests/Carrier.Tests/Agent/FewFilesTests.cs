using System.Diagnostics;
using System.Net.Sockets;
using Carrier.Agent.State;

namespace Carrier.Tests.Agent;

/// <summary>A daemon that may open few files, and is made to run out of them.</summary>
public sealed class FewFilesTests : IAsyncDisposable
{
    /// <summary>
    /// Enough to start and to dial, and fewer than the commands that come take. The runtime keeps two descriptors for every assembly it has loaded: of an idle
    /// daemon's hundred, eighty are those, and a first dial and a first command load a dozen more.
    /// </summary>
    private const int Files = 140;

    private readonly AgentProcesses _processes = new();

    public ValueTask DisposeAsync() => _processes.DisposeAsync();

    [Fact]
    public async Task Daemon_that_ran_out_of_descriptors_serves_again_once_there_are_some()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "ulimit is Unix's.");
        await _processes.InitAsync("a");
        await _processes.AddSeedAsync();
        string peer = await _processes.InitAsync("b");
        await _processes.UpAsync("b");
        Process daemon = _processes.StartWithFewFiles(Files, "a", "up", "--seed", _processes.Seeds[0].Address.ToString());
        Assert.StartsWith("READY ", await daemon.StandardOutput.ReadLineAsync().WaitAsync(AgentProcesses.Patience), StringComparison.Ordinal);

        UnixDomainSocketEndPoint control = new(AgentHome.At(_processes.File("a")).ControlSocket);
        List<Socket> hogs = [];
        for (int i = 0; i < 60; i++)
        {
            Socket hog = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false };
            hogs.Add(hog);
            try
            {
                await hog.ConnectAsync(control).WaitAsync(TimeSpan.FromMilliseconds(100));
            }
            catch (Exception e) when (e is SocketException or TimeoutException)
            {
                break; // the backlog is full as well
            }
        }

        hogs.ForEach(static hog => hog.Dispose());
        Assert.False(daemon.HasExited);
        Assert.Equal(0, (await _processes.RunAsync("a", "status")).Code);
        Assert.Equal(0, (await _processes.RunAsync("a", "ping", peer, "-c", "1")).Code);
    }
}
