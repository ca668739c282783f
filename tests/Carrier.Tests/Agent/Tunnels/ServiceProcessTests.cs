using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Carrier.Tests.Agent.Tunnels;

/// <summary>Real processes on loopback: a seed, two daemons, and the commands that ask them.</summary>
public sealed class ServiceProcessTests : IAsyncLifetime
{
    private readonly AgentProcesses _processes = new();
    private readonly Socket _target = TunnelRig.Listen();

    private static TimeSpan Patience => AgentProcesses.Patience;

    public async ValueTask InitializeAsync() => await _processes.AddSeedAsync();

    public async ValueTask DisposeAsync()
    {
        await _processes.DisposeAsync();
        _target.Dispose();
    }

    [Fact]
    public async Task Tcp_keeps_its_half_close_and_its_reset_through_two_agents()
    {
        (_, int port) = await JoinAsync();
        using (Socket client = await TunnelRig.DialAsync(port))
        using (Socket server = await AcceptAsync())
        {
            await client.SendAsync("ask"u8.ToArray());
            client.Shutdown(SocketShutdown.Send);
            Assert.Equal("ask", await ReadAllAsync(server));
            await server.SendAsync("answer"u8.ToArray());
            server.Shutdown(SocketShutdown.Send);
            Assert.Equal("answer", await ReadAllAsync(client));
        }

        foreach (bool byServer in (bool[])[true, false])
        {
            Socket client = await TunnelRig.DialAsync(port);
            Socket server = await AcceptAsync();
            using Socket left = byServer ? client : server;
            await client.SendAsync(new byte[1]);
            Assert.Equal(1, await server.ReceiveAsync(new byte[1]));
            (byServer ? server : client).Close(timeout: 0);
            SocketException e = await Assert.ThrowsAsync<SocketException>(() => left.ReceiveAsync(new byte[1]).WaitAsync(Patience));
            Assert.Equal(SocketError.ConnectionReset, e.SocketErrorCode);
        }
    }

    [Fact]
    public async Task Peer_that_was_killed_and_restarted_is_reached_again_with_what_it_kept()
    {
        (Process server, int port) = await JoinAsync();
        Task echo = EchoAsync();
        Assert.True(await TryEchoAsync(port));
        await AgentProcesses.KillAsync(server);
        await _processes.UpAsync("b");
        int failed = 0;
        while (!await TryEchoAsync(port))
        {
            failed++;
        }

        // One connection may find out that the old session is dead; none that comes after it.
        Assert.InRange(failed, 0, 1);
        _target.Dispose();
        await echo;
    }

    [Fact]
    public async Task Commands_need_an_agent_and_say_what_went_wrong_by_their_code()
    {
        await _processes.InitAsync("a");
        Assert.Equal(3, (await _processes.RunAsync("a", "services")).Code);
        Assert.Equal(3, (await _processes.RunAsync("a", "pipe", TunnelRig.Id(1).ToString(), "ssh")).Code);
        await _processes.UpAsync("a");
        Assert.Equal(2, (await _processes.RunAsync("a", "serve", "bad_name", "127.0.0.1:1")).Code);
        Assert.Equal(2, (await _processes.RunAsync("a", "serve", "name", "nowhere")).Code);
        Assert.Equal(2, (await _processes.RunAsync("a", "forward", "0", "noslash")).Code);
        Assert.Equal(2, (await _processes.RunAsync("a", "services", "stop", "nothing")).Code);
        Assert.Equal(4, (await _processes.RunAsync("a", "pipe", TunnelRig.Id(1).ToString(), "ssh")).Code);
    }

    private async Task<(Process Server, int Port)> JoinAsync()
    {
        await _processes.InitAsync("a");
        string peer = await _processes.InitAsync("b");
        await _processes.UpAsync("a");
        Process server = await _processes.UpAsync("b");
        string target = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{TunnelRig.PortOf(_target)}");
        Assert.Equal(0, (await _processes.RunAsync("b", "serve", "echo", target, "--allow", "any", "--keep")).Code);
        Process forward = _processes.Start("a", "forward", "0", $"{peer}/echo", "--json");
        string line = (await forward.StandardOutput.ReadLineAsync().WaitAsync(Patience))!;
        string local = JsonDocument.Parse(line).RootElement.GetProperty("tunnel").GetProperty("local").GetString()!;
        return (server, IPEndPoint.Parse(local).Port);
    }

    private static async Task<bool> TryEchoAsync(int port)
    {
        try
        {
            using Socket client = await TunnelRig.DialAsync(port);
            await client.SendAsync("hello"u8.ToArray());
            return await client.ReceiveAsync(new byte[5]).WaitAsync(Patience) == 5;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>Sends the first bytes of everybody back, until the listener is closed.</summary>
    private async Task EchoAsync()
    {
        byte[] buffer = new byte[5];
        try
        {
            while (true)
            {
                using Socket client = await _target.AcceptAsync();
                _ = await client.ReceiveAsync(buffer);
                await client.SendAsync(buffer);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return;
        }
    }

    private Task<Socket> AcceptAsync() => _target.AcceptAsync().WaitAsync(Patience);

    private static async Task<string> ReadAllAsync(Socket socket)
    {
        var text = new StringBuilder();
        byte[] buffer = new byte[100];
        while (await socket.ReceiveAsync(buffer).WaitAsync(Patience) is var bytes and > 0)
        {
            text.Append(Encoding.ASCII.GetString(buffer, 0, bytes));
        }

        return text.ToString();
    }
}
