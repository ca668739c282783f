using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Carrier.Agent.Control;
using Carrier.Agent.State;
using Carrier.Agent.Tunnels;

namespace Carrier.Tests.Agent.Tunnels;

/// <summary>Services and forwards between two agents: real sockets and control sockets, the network in memory.</summary>
public sealed class TunnelTests : IAsyncLifetime
{
    private readonly TunnelRig _rig = new();
    private readonly Socket _target = TunnelRig.Listen();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private int TargetPort => TunnelRig.PortOf(_target);

    public async ValueTask InitializeAsync()
    {
        await _rig.UpAsync(1);
        await _rig.UpAsync(2);
    }

    public async ValueTask DisposeAsync()
    {
        _target.Dispose();
        await _rig.DisposeAsync();
    }

    [Fact]
    public async Task Forward_keeps_half_close_both_ways()
    {
        (Socket client, Socket server) = await ConnectAsync();
        using (client)
        using (server)
        {
            await client.SendAsync("question"u8.ToArray(), Cancel);
            client.Shutdown(SocketShutdown.Send);
            Assert.Equal("question", await ReadAllAsync(server));
            await server.SendAsync("answer after the end"u8.ToArray(), Cancel);
            server.Shutdown(SocketShutdown.Send);
            Assert.Equal("answer after the end", await ReadAllAsync(client));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Reset_at_one_end_resets_the_other(bool byServer)
    {
        (Socket client, Socket server) = await ConnectAsync();
        using Socket left = byServer ? client : server;
        await client.SendAsync(new byte[1], Cancel);
        Assert.Equal(1, await server.ReceiveAsync(new byte[1], Cancel));
        (byServer ? server : client).Close(timeout: 0);
        SocketException e = await Assert.ThrowsAsync<SocketException>(() => left.ReceiveAsync(new byte[1], Cancel).AsTask().WaitAsync(TunnelRig.Patience));
        Assert.Equal(SocketError.ConnectionReset, e.SocketErrorCode);
    }

    [Fact]
    public async Task Bulk_both_ways_at_once_arrives_unchanged()
    {
        (Socket client, Socket server) = await ConnectAsync();
        using (client)
        using (server)
        {
            byte[] up = TransferRig.RandomBytes(1, 5_000_000);
            byte[] down = TransferRig.RandomBytes(2, 5_000_000);
            Task<byte[]> atServer = ReadBytesAsync(server, up.Length);
            Task<byte[]> atClient = ReadBytesAsync(client, down.Length);
            await Task.WhenAll(SendAllAsync(client, up), SendAllAsync(server, down)).WaitAsync(TunnelRig.Patience);
            Assert.Equal(up, await atServer);
            Assert.Equal(down, await atClient);
        }
    }

    [Fact]
    public async Task Writer_waits_where_the_other_end_does_not_read()
    {
        (Socket client, Socket server) = await ConnectAsync();
        using (client)
        using (server)
        {
            client.Blocking = false;
            long sent = 0;
            byte[] block = new byte[1 << 20];
            while (sent < 256L << 20 && await TrySendAsync(client, block) is var bytes and > 0)
            {
                sent += bytes;
            }

            Assert.InRange(sent, 1, 64L << 20);
        }
    }

    [Fact]
    public async Task Five_hundred_connections_at_once_share_one_session()
    {
        Task echo = EchoAsync(_target);
        int port = await _rig.JoinAsync(1, 2, TargetPort);
        byte[][] replies = await Task.WhenAll(Enumerable.Range(0, 500).Select(async i =>
        {
            using Socket client = await TunnelRig.DialAsync(port);
            await client.SendAsync(BitConverter.GetBytes(i), Cancel);
            return await ReadBytesAsync(client, sizeof(int));
        })).WaitAsync(TunnelRig.Patience);
        Assert.Equal(Enumerable.Range(0, 500), replies.Select(reply => BitConverter.ToInt32(reply)));
        _target.Dispose();
        await echo.WaitAsync(TunnelRig.Patience);
    }

    [Fact]
    public async Task Stranger_cannot_tell_a_forbidden_service_from_none()
    {
        (_, TunnelRig.Conversation owner, _, _) = await _rig.StayAsync(1, new ServeRequest(
            new ServiceDefinition("private", $"127.0.0.1:{TargetPort}", ServiceKind.Tcp, []), false));
        AgentException forbidden = await Assert.ThrowsAsync<AgentException>(() => PipeAsync("private"));
        AgentException missing = await Assert.ThrowsAsync<AgentException>(() => PipeAsync("nothing"));
        Assert.Equal(ExitCode.Refused, forbidden.ExitCode);
        Assert.Equal(missing.ExitCode, forbidden.ExitCode);
        Assert.Equal(missing.Message.Replace("nothing", "private", StringComparison.Ordinal), forbidden.Message);
        Assert.Contains($"--allow {TunnelRig.Id(2)}", await owner.Note.Task.WaitAsync(TunnelRig.Patience), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refused_forward_resets_the_connection_and_says_why()
    {
        await _rig.StayAsync(1, new ServeRequest(new ServiceDefinition("private", $"127.0.0.1:{TargetPort}", ServiceKind.Tcp, []), false));
        (TunnelReport report, TunnelRig.Conversation heard, _, _) = await _rig.StayAsync(
            2, new ForwardRequest(new ForwardDefinition("127.0.0.1", 0, TunnelRig.Id(1).ToString(), "private", false), false));
        await Assert.ThrowsAsync<SocketException>(async () =>
        {
            // The reset may be quicker than the connect.
            using Socket client = await TunnelRig.DialAsync(IPEndPoint.Parse(report.Local).Port);
            await client.ReceiveAsync(new byte[1], Cancel).AsTask().WaitAsync(TunnelRig.Patience);
        });
        Assert.Contains("refuses 'private'", await heard.Note.Task.WaitAsync(TunnelRig.Patience), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Allowed_peer_is_let_in_and_the_same_owner_always()
    {
        await _rig.StayAsync(1, new ServeRequest(
            new ServiceDefinition("some", $"127.0.0.1:{TargetPort}", ServiceKind.Tcp, [TunnelRig.Id(2).ToString()]), false));
        Task<AgentException?> piped = PipeOrFailAsync("some");
        using Socket server = await _target.AcceptAsync(Cancel).AsTask().WaitAsync(TunnelRig.Patience);
        server.Close();
        Assert.Null(await piped.WaitAsync(TunnelRig.Patience));

        await using var own = new Carrier.Agent.Tunnels.Serving.PublishedService(
            new ServiceDefinition("own", "127.0.0.1:1", ServiceKind.Tcp, []), TunnelRig.Id(1), TimeProvider.System, false, static _ => { });
        Assert.True(own.Admits(TunnelRig.Id(1), TunnelKind.Connection));
        Assert.False(own.Admits(TunnelRig.Id(2), TunnelKind.Connection));
        Assert.False(own.Admits(TunnelRig.Id(1), TunnelKind.Flow));
    }

    [Fact]
    public async Task Connections_over_a_peers_share_are_busy()
    {
        int port = await _rig.JoinAsync(1, 2, TargetPort, maxPerPeer: 1);
        using Socket first = await TunnelRig.DialAsync(port);
        using Socket server = await _target.AcceptAsync(Cancel).AsTask().WaitAsync(TunnelRig.Patience);
        AgentException e = await Assert.ThrowsAsync<AgentException>(() => PipeAsync($"s{TargetPort}"));
        Assert.Contains("all the connections", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_behind_a_service_is_told()
    {
        int free = TargetPort;
        _target.Dispose();
        await _rig.StayAsync(1, new ServeRequest(new ServiceDefinition("gone", $"127.0.0.1:{free}", ServiceKind.Tcp, ["any"]), false));
        AgentException e = await Assert.ThrowsAsync<AgentException>(() => PipeAsync("gone"));
        Assert.Equal(ExitCode.Unreachable, e.ExitCode);
    }

    [Fact]
    public async Task Pipe_carries_standard_streams_and_ends_with_both()
    {
        await _rig.StayAsync(1, new ServeRequest(new ServiceDefinition("pipe", $"127.0.0.1:{TargetPort}", ServiceKind.Tcp, ["any"]), false));
        byte[] data = TransferRig.RandomBytes(7, 300_000);
        var output = new MemoryStream();
        Task piping = PipeAsync("pipe", new MemoryStream(data), output);
        using Socket server = await _target.AcceptAsync(Cancel).AsTask().WaitAsync(TunnelRig.Patience);
        byte[] arrived = await ReadBytesAsync(server, data.Length);
        Assert.Equal(0, await server.ReceiveAsync(new byte[1], Cancel));
        await SendAllAsync(server, arrived);
        server.Shutdown(SocketShutdown.Send);
        await piping.WaitAsync(TunnelRig.Patience);
        Assert.Equal(data, output.ToArray());
    }

    [Fact]
    public async Task Kept_ones_come_back_after_a_restart_and_a_dead_session_is_dialled_again()
    {
        Task echo = EchoAsync(_target);
        await _rig.AskAsync(1, new ServeRequest(new ServiceDefinition("kept", $"127.0.0.1:{TargetPort}", ServiceKind.Tcp, ["any"]), true));
        int port = FreePort();
        await _rig.AskAsync(2, new ForwardRequest(new ForwardDefinition("127.0.0.1", port, TunnelRig.Id(1).ToString(), "kept", false), true));
        Assert.Equal("a", await EchoOnceAsync(port, "a"));

        await _rig.DownAsync(1);
        await _rig.UpAsync(1);
        Assert.Equal("b", await EchoOnceAsync(port, "b"));
        await _rig.DownAsync(2);
        await _rig.UpAsync(2);
        Assert.Equal("c", await EchoOnceAsync(port, "c"));

        await _rig.AskAsync(2, new StopServiceRequest($"forward:{port}"));
        await Assert.ThrowsAsync<SocketException>(() => TunnelRig.DialAsync(port));
        Assert.Empty(await _rig.AskAsync(2, new ServicesRequest()));
        Assert.Single(await _rig.AskAsync(1, new ServicesRequest()));
        _target.Dispose();
        await echo.WaitAsync(TunnelRig.Patience);
    }

    [Fact]
    public async Task Command_that_leaves_takes_its_service_and_connections_along()
    {
        (_, _, CancellationTokenSource leave, Task command) = await _rig.StayAsync(
            1, new ServeRequest(new ServiceDefinition("brief", $"127.0.0.1:{TargetPort}", ServiceKind.Tcp, ["any"]), false));
        Task<AgentException?> piped = PipeOrFailAsync("brief", new EndlessStream());
        using Socket server = await _target.AcceptAsync(Cancel).AsTask().WaitAsync(TunnelRig.Patience);
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => command.WaitAsync(TunnelRig.Patience));
        Assert.Equal(ExitCode.Interrupted, (await piped.WaitAsync(TunnelRig.Patience))?.ExitCode);
        while ((await _rig.AskAsync(1, new ServicesRequest())).Count > 0)
        {
            await Task.Yield();
        }
    }

    [Fact]
    public async Task Socks_connects_by_name_and_refuses_the_rest()
    {
        Task echo = EchoAsync(_target);
        await _rig.StayAsync(1, new ServeRequest(new ServiceDefinition("web", $"127.0.0.1:{TargetPort}", ServiceKind.Tcp, ["any"]), false));
        (TunnelReport socks, _, _, _) = await _rig.StayAsync(2, new SocksRequest(new SocksDefinition("127.0.0.1", 0), false));
        int port = IPEndPoint.Parse(socks.Local).Port;
        using (Socket client = await SocksAsync(port, $"web.{TunnelRig.Id(1)}.carrier", expected: 0))
        {
            await client.SendAsync("echo"u8.ToArray(), Cancel);
            Assert.Equal("echo"u8.ToArray(), await ReadBytesAsync(client, 4));
        }

        (await SocksAsync(port, $"{TunnelRig.Id(1)}.carrier", expected: 2)).Dispose();
        (await SocksAsync(port, $"web.{TunnelRig.Id(9)}.carrier", expected: 4)).Dispose();
        (await SocksAsync(port, "example.com", expected: 2)).Dispose();
        _target.Dispose();
        await echo.WaitAsync(TunnelRig.Patience);
    }

    [Fact]
    public async Task Every_connection_leaves_one_line_without_its_bytes()
    {
        Task echo = EchoAsync(_target);
        int port = await _rig.JoinAsync(1, 2, TargetPort);
        Assert.Equal("secret payload", await EchoOnceAsync(port, "secret payload"));
        await _rig.DownAsync(2);
        await _rig.DownAsync(1);
        JsonElement served = JsonDocument.Parse(Assert.Single(File.ReadAllLines(Path.Combine(_rig[1].Logs, "access.jsonl")))).RootElement;
        JsonElement forwarded = JsonDocument.Parse(Assert.Single(File.ReadAllLines(Path.Combine(_rig[2].Logs, "access.jsonl")))).RootElement;
        Assert.Equal("in", served.GetProperty("direction").GetString());
        Assert.Equal("out", forwarded.GetProperty("direction").GetString());
        Assert.Equal(14, served.GetProperty("bytesIn").GetInt64());
        Assert.Equal(14, forwarded.GetProperty("bytesIn").GetInt64());
        Assert.Equal("Closed", served.GetProperty("end").GetString());
        Assert.DoesNotContain("secret", served.GetRawText(), StringComparison.Ordinal);
        _target.Dispose();
        await echo.WaitAsync(TunnelRig.Patience);
    }

    private async Task<(Socket Client, Socket Server)> ConnectAsync()
    {
        Socket client = await TunnelRig.DialAsync(await _rig.JoinAsync(1, 2, TargetPort));
        return (client, await _target.AcceptAsync(Cancel).AsTask().WaitAsync(TunnelRig.Patience));
    }

    private async Task PipeAsync(string service, Stream? input = null, Stream? output = null)
    {
        await using ControlClient client = (await ControlClient.TryConnectAsync(_rig[2], Cancel))!;
        var conversation = new TunnelRig.Conversation { Input = input ?? Stream.Null, Output = output ?? Stream.Null };
        await client.RunAsync(new PipeRequest(TunnelRig.Id(1).ToString(), service), conversation, Cancel).WaitAsync(TunnelRig.Patience);
    }

    private async Task<AgentException?> PipeOrFailAsync(string service, Stream? input = null)
    {
        try
        {
            await PipeAsync(service, input);
            return null;
        }
        catch (AgentException e)
        {
            return e;
        }
    }

    private static async Task<Socket> SocksAsync(int port, string name, byte expected)
    {
        Socket client = await TunnelRig.DialAsync(port);
        await client.SendAsync((byte[])[5, 1, 0], Cancel);
        Assert.Equal([5, 0], await ReadBytesAsync(client, 2));
        byte[] text = Encoding.ASCII.GetBytes(name);
        await client.SendAsync((byte[])[5, 1, 0, 3, (byte)text.Length, .. text, 0, 80], Cancel);
        Assert.Equal(expected, (await ReadBytesAsync(client, 10))[1]);
        return client;
    }

    private static async Task<string> EchoOnceAsync(int port, string text)
    {
        using Socket client = await TunnelRig.DialAsync(port);
        await client.SendAsync(Encoding.UTF8.GetBytes(text), Cancel);
        client.Shutdown(SocketShutdown.Send);
        return await ReadAllAsync(client);
    }

    /// <summary>Sends everything back to everybody, until the listener is closed.</summary>
    private static async Task EchoAsync(Socket listener)
    {
        var running = new List<Task>();
        try
        {
            while (true)
            {
                Socket client = await listener.AcceptAsync();
                running.Add(Task.Run(async () =>
                {
                    using var stream = new NetworkStream(client, ownsSocket: true);
                    await stream.CopyToAsync(stream);
                }));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static int FreePort()
    {
        using Socket socket = TunnelRig.Listen();
        return TunnelRig.PortOf(socket);
    }

    private static async Task<string> ReadAllAsync(Socket socket)
    {
        var text = new StringBuilder();
        byte[] buffer = new byte[1_000];
        while (await socket.ReceiveAsync(buffer, Cancel).AsTask().WaitAsync(TunnelRig.Patience) is var bytes and > 0)
        {
            text.Append(Encoding.UTF8.GetString(buffer, 0, bytes));
        }

        return text.ToString();
    }

    private static async Task<byte[]> ReadBytesAsync(Socket socket, int count)
    {
        byte[] bytes = new byte[count];
        using var stream = new NetworkStream(socket);
        await stream.ReadExactlyAsync(bytes, Cancel).AsTask().WaitAsync(TunnelRig.Patience);
        return bytes;
    }

    private static async Task SendAllAsync(Socket socket, byte[] bytes)
    {
        using var stream = new NetworkStream(socket);
        await stream.WriteAsync(bytes, Cancel);
    }

    /// <summary>Sends what there is room for; zero when there was none for a while.</summary>
    private static async Task<int> TrySendAsync(Socket socket, byte[] block)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        try
        {
            return await socket.SendAsync(block, patience.Token);
        }
        catch (OperationCanceledException)
        {
            return 0;
        }
    }

    /// <summary>Never ends, as a terminal nobody types at.</summary>
    private sealed class EndlessStream : MemoryStream
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
            return 0;
        }
    }
}
