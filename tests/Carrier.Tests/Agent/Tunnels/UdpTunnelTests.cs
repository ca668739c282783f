using System.Net;
using System.Net.Sockets;
using Carrier.Agent.Tunnels;
using Carrier.Tests.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace Carrier.Tests.Agent.Tunnels;

/// <summary>UDP through a forward, and the odd parts every tunnel shares: log and budget.</summary>
public sealed class UdpTunnelTests : IAsyncLifetime
{
    private readonly TunnelRig _rig = new();
    private readonly Socket _target = Bind();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

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

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1_190)]
    [InlineData(1_200)] // too large for a session datagram with its number: over the stream
    [InlineData(9_000)]
    [InlineData(60_000)]
    public async Task Datagram_of_any_size_goes_there_and_back(int bytes)
    {
        int port = await _rig.JoinAsync(1, 2, TunnelRig.PortOf(_target), udp: true);
        using Socket client = await OpenFlowAsync(port);
        byte[] payload = TransferRig.RandomBytes(bytes, bytes);
        await client.SendAsync(payload, Cancel);
        (byte[] arrived, EndPoint from) = await ReceiveAsync(_target);
        Assert.Equal(payload, arrived);
        await _target.SendToAsync(arrived, SocketFlags.None, from, Cancel);
        Assert.Equal(payload, (await ReceiveAsync(client)).Payload);
    }

    [Fact]
    public async Task Each_local_address_is_a_flow_with_an_address_of_its_own_at_the_target()
    {
        int port = await _rig.JoinAsync(1, 2, TunnelRig.PortOf(_target), udp: true);
        using Socket one = await OpenFlowAsync(port);
        using Socket two = await OpenFlowAsync(port);
        await one.SendAsync("1"u8.ToArray(), Cancel);
        (_, EndPoint fromOne) = await ReceiveAsync(_target);
        await two.SendAsync("2"u8.ToArray(), Cancel);
        (_, EndPoint fromTwo) = await ReceiveAsync(_target);
        Assert.NotEqual(fromOne, fromTwo);
        await _target.SendToAsync("to two"u8.ToArray(), SocketFlags.None, fromTwo, Cancel);
        await _target.SendToAsync("to one"u8.ToArray(), SocketFlags.None, fromOne, Cancel);
        Assert.Equal("to one"u8.ToArray(), (await ReceiveAsync(one)).Payload);
        Assert.Equal("to two"u8.ToArray(), (await ReceiveAsync(two)).Payload);
    }

    [Fact]
    public async Task Access_log_is_rotated_by_size_and_keeps_a_few()
    {
        using var folder = new TemporaryFolder();
        await using (var log = new AccessLog(folder.File("logs"), TimeProvider.System, NullLogger.Instance, maxFileBytes: 1_000))
        {
            for (int i = 0; i < 200; i++)
            {
                log.Write(new AccessEntry("in", "0x00", "web", "tcp", null, 1, 2, 3, TunnelEnd.Closed));
            }
        }

        FileInfo[] files = new DirectoryInfo(folder.File("logs")).GetFiles();
        Assert.Equal(AccessLog.KeptFiles + 1, files.Length);
        Assert.All(files, file => Assert.InRange(file.Length, 0, 1_300));
        Assert.All(files.SelectMany(file => File.ReadLines(file.FullName)), line => Assert.EndsWith("\"end\":\"Closed\"}", line, StringComparison.Ordinal));
    }

    [Fact]
    public void ByteBudget_gives_its_rate_and_a_small_burst()
    {
        var time = new ManualTime();
        var budget = new ByteBudget(1_000, time);
        Assert.Equal(250, Enumerable.Range(0, 1_000).Count(_ => budget.TrySpend(1)));
        time.Seconds += 1;
        Assert.Equal(250, Enumerable.Range(0, 1_000).Count(_ => budget.TrySpend(1)));
        int spent = 0;
        for (int i = 0; i < 10; i++)
        {
            time.Seconds += 0.1;
            spent += Enumerable.Range(0, 1_000).Count(_ => budget.TrySpend(1));
        }

        Assert.InRange(spent, 990, 1_000);
    }

    private static Socket Bind()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return socket;
    }

    /// <summary>A flow that is open both ways, so that what follows goes as session datagrams where it fits.</summary>
    private async Task<Socket> OpenFlowAsync(int port)
    {
        Socket client = Bind();
        await client.ConnectAsync(IPAddress.Loopback, port);
        await client.SendAsync("open"u8.ToArray(), Cancel);
        (byte[] payload, EndPoint from) = await ReceiveAsync(_target);
        await _target.SendToAsync(payload, SocketFlags.None, from, Cancel);
        Assert.Equal("open"u8.ToArray(), (await ReceiveAsync(client)).Payload);
        return client;
    }

    private static async Task<(byte[] Payload, EndPoint From)> ReceiveAsync(Socket socket)
    {
        byte[] buffer = new byte[65_536];
        SocketReceiveFromResult result = await socket.ReceiveFromAsync(buffer, SocketFlags.None, new IPEndPoint(IPAddress.Any, 0), Cancel)
            .AsTask().WaitAsync(TunnelRig.Patience);
        return (buffer[..result.ReceivedBytes], result.RemoteEndPoint);
    }

    private sealed class ManualTime : TimeProvider
    {
        public double Seconds { get; set; } = 1_000;

        public override long TimestampFrequency => 1_000_000;

        public override long GetTimestamp() => (long)(Seconds * TimestampFrequency);
    }
}
