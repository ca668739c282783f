using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Carrier.Agent.Control;
using Carrier.Agent.Network;
using Carrier.Agent.Service;
using Carrier.Agent.State;
using Carrier.Agent.Tunnels;
using Carrier.Core.Identity;
using Carrier.Tests.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace Carrier.Tests.Agent.Tunnels;

/// <summary>Agents of one network in memory, asked over their real control sockets; services and forwards are real sockets on loopback.</summary>
internal sealed class TunnelRig : IAsyncDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly Dictionary<byte, (AgentRuntime Runtime, ControlServer Server)> _agents = [];
    private readonly List<(CancellationTokenSource Leave, Task Command)> _commands = [];

    public MemoryNetwork Network { get; } = new();

    /// <summary>Longer than anything here takes on a busy machine.</summary>
    public static TimeSpan Patience { get; } = TimeSpan.FromSeconds(30);

    public AgentHome this[byte number] => AgentHome.At(_folder.File($"h{number}"));

    public static TrustId Id(byte number)
    {
        byte[] bytes = new byte[TrustId.Bytes];
        Array.Fill(bytes, number);
        return new TrustId(bytes);
    }

    public string File(string name) => _folder.File(name);

    public async Task UpAsync(byte number, byte owner = 0)
    {
        AgentRuntime runtime = await AgentRuntime.StartAsync(
            this[number], _ => Task.FromResult<INetwork>(Network.Join(Id(owner == 0 ? number : owner))), NullLogger.Instance, CancellationToken.None);
        await runtime.StartKeptTunnelsAsync();
        _agents[number] = (runtime, ControlServer.Start(this[number], runtime.Service, NullLogger.Instance));
    }

    public async Task DownAsync(byte number)
    {
        _agents.Remove(number, out (AgentRuntime Runtime, ControlServer Server) agent);
        await agent.Server.DisposeAsync();
        await agent.Runtime.DisposeAsync();
    }

    /// <summary>Runs a request that ends by itself.</summary>
    public async Task<IReadOnlyList<ControlReply>> AskAsync(byte number, ControlRequest request)
    {
        var heard = new Conversation();
        await RunAsync(number, request, heard, CancellationToken.None).WaitAsync(Patience);
        return [.. heard.Replies];
    }

    /// <summary>Begins a request that stays, and waits for what it opened; disposing the rig ends it.</summary>
    public async Task<(TunnelReport Report, Conversation Heard, CancellationTokenSource Leave, Task Command)> StayAsync(byte number, ControlRequest request)
    {
        var heard = new Conversation();
        var leave = new CancellationTokenSource();
        Task command = RunAsync(number, request, heard, leave.Token);
        _commands.Add((leave, command));
        await Task.WhenAny(heard.First.Task, command).WaitAsync(Patience);
        if (!heard.First.Task.IsCompleted)
        {
            await command;
        }

        return (((TunnelReply)await heard.First.Task).Tunnel, heard, leave, command);
    }

    /// <summary>Publishes a service at one agent and opens a forward to it at another; gives the forward's port.</summary>
    public async Task<int> JoinAsync(byte server, byte client, int targetPort, bool udp = false, int maxPerPeer = 1024, long? rate = null)
    {
        string name = $"s{targetPort}";
        await StayAsync(server, new ServeRequest(
            new ServiceDefinition(name, $"127.0.0.1:{targetPort}", udp ? ServiceKind.Udp : ServiceKind.Tcp, ["any"], MaxPerPeer: maxPerPeer, BytesPerSecond: rate), false));
        (TunnelReport report, _, _, _) = await StayAsync(client, new ForwardRequest(new ForwardDefinition("127.0.0.1", 0, Id(server).ToString(), name, udp), false));
        return IPEndPoint.Parse(report.Local).Port;
    }

    public async ValueTask DisposeAsync()
    {
        foreach ((CancellationTokenSource leave, Task command) in _commands)
        {
            await leave.CancelAsync();
            await command.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            leave.Dispose();
        }

        foreach (byte number in _agents.Keys.ToArray())
        {
            await DownAsync(number);
        }

        _folder.Dispose();
    }

    public static Socket Listen()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        socket.Listen(1024);
        return socket;
    }

    public static int PortOf(Socket socket) => ((IPEndPoint)socket.LocalEndPoint!).Port;

    public static async Task<Socket> DialAsync(int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, port);
        return socket;
    }

    private async Task RunAsync(byte number, ControlRequest request, Conversation heard, CancellationToken cancellationToken)
    {
        await using ControlClient client = await ControlClient.TryConnectAsync(this[number], cancellationToken) ?? throw new InvalidOperationException("no agent");
        await client.RunAsync(request, heard, cancellationToken);
    }

    internal sealed class Conversation : IConversation
    {
        public ConcurrentQueue<ControlReply> Replies { get; } = new();

        public TaskCompletionSource<ControlReply> First { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource<string> Note { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Stream Input { get; init; } = Stream.Null;

        public Stream Output { get; init; } = Stream.Null;

        public ValueTask SayAsync(ControlReply reply, CancellationToken cancellationToken)
        {
            Replies.Enqueue(reply);
            First.TrySetResult(reply);
            if (reply is NoteReply note)
            {
                Note.TrySetResult(note.Message);
            }

            return ValueTask.CompletedTask;
        }

        public ValueTask<bool> AskAsync(AskReply question, CancellationToken cancellationToken) => ValueTask.FromResult(false);
    }
}
