using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text;
using Carrier.Agent.Control;
using Carrier.Agent.Network;
using Carrier.Agent.Service;
using Carrier.Agent.State;
using Carrier.Core.Identity;
using Carrier.Tests.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace Carrier.Tests.Agent;

/// <summary>Commands and daemons over real sockets, their nodes in one network in memory.</summary>
public sealed class ControlTests : IAsyncDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly MemoryNetwork _network = new();
    private readonly List<IAsyncDisposable> _running = [];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        foreach (IAsyncDisposable running in _running.AsEnumerable().Reverse())
        {
            await running.DisposeAsync();
        }

        _folder.Dispose();
    }

    [Fact]
    public async Task Send_through_the_daemon_arrives_at_an_allowed_receiver()
    {
        AgentHome alice = await UpAsync(1);
        AgentHome bob = await UpAsync(2);
        new AgentConfig().WithAllowed(Id(1)).Save(bob);
        string file = _folder.File("hello.txt");
        File.WriteAllText(file, "hello");

        var heard = new Listener();
        await AskAsync(alice, new SendRequest(Id(2).ToString(), file, null), heard);

        SentReply sent = Assert.IsType<SentReply>(heard.Replies.Last());
        Assert.Equal("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", sent.Sha256);
        Assert.Equal("direct", sent.Path);
        Assert.True(sent.DirectMs >= sent.FirstByteMs);
        Assert.Equal("hello", File.ReadAllText(Path.Combine(bob.Received, "hello.txt")));
    }

    [Fact]
    public async Task Send_to_a_receiver_who_does_not_know_us_is_refused_with_what_to_do()
    {
        AgentHome alice = await UpAsync(1);
        await UpAsync(2);
        string file = _folder.File("hello.txt");
        File.WriteAllText(file, "hello");

        AgentException e = await Assert.ThrowsAsync<AgentException>(() => AskAsync(alice, new SendRequest(Id(2).ToString(), file, null), new Listener()));

        Assert.Equal(ExitCode.Refused, e.ExitCode);
        Assert.Contains("carrier allow", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Receive_asks_about_a_stranger_and_heeds_the_answer(bool answer)
    {
        AgentHome alice = await UpAsync(1);
        AgentHome bob = await UpAsync(2);
        string file = _folder.File("hello.txt");
        File.WriteAllText(file, "hello");
        var asked = new Listener { Answer = answer };
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        Task receiving = AskAsync(bob, new ReceiveRequest(_folder.File("inbox"), [], Once: true, Asks: true), asked, leave.Token);

        Task sending = SendUntilAttendedAsync(alice, file);
        if (answer)
        {
            await sending;
            await receiving;
            Assert.Equal("hello", File.ReadAllText(Path.Combine(_folder.File("inbox"), "hello.txt")));
            Assert.Equal(Path.Combine(_folder.File("inbox"), "hello.txt"), Assert.Single(asked.Replies.OfType<ReceivedReply>(), each => each.Failure is null).Path);
        }
        else
        {
            AgentException e = await Assert.ThrowsAsync<AgentException>(() => sending);
            Assert.Contains("declined", e.Message, StringComparison.Ordinal);
            await leave.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => receiving);
        }
    }

    [Fact]
    public async Task Send_standard_input_goes_through_the_socket()
    {
        AgentHome alice = await UpAsync(1);
        AgentHome bob = await UpAsync(2);
        new AgentConfig().WithAllowed(Id(1)).Save(bob);
        byte[] data = TransferRig.RandomBytes(5, 300_000);

        await AskAsync(alice, new SendRequest(Id(2).ToString(), null, "piped"), new Listener { Data = new MemoryStream(data) });

        Assert.Equal(data, File.ReadAllBytes(Path.Combine(bob.Received, "piped")));
    }

    [Fact]
    public async Task Client_that_goes_before_its_data_ended_passes_nothing_off_as_whole()
    {
        AgentHome alice = await UpAsync(1);
        AgentHome bob = await UpAsync(2);
        new AgentConfig().WithAllowed(Id(1)).Save(bob);
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        Task sending = AskAsync(alice, new SendRequest(Id(2).ToString(), null, "piped"), new Listener { Data = new StuckStream(leave) }, leave.Token);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);

        await DownAsync(); // waits for what Bob receives
        Assert.False(File.Exists(Path.Combine(bob.Received, "piped")));
    }

    [Fact]
    public async Task Send_goes_on_where_it_was_when_the_session_breaks()
    {
        AgentHome alice = await UpAsync(1);
        AgentHome bob = await UpAsync(2);
        new AgentConfig().WithAllowed(Id(1)).Save(bob);
        byte[] data = TransferRig.RandomBytes(6, 8_000_000);
        string file = _folder.File("big.bin");
        File.WriteAllBytes(file, data);
        int streams = 0;
        _network.OnStream = pair =>
        {
            if (++streams == 1)
            {
                pair.Right.Input.Complete(); // nobody reads, and what is said meets nobody
                pair.Right.Output.Complete();
            }
        };

        var heard = new Listener();
        await AskAsync(alice, new SendRequest(Id(2).ToString(), file, null), heard);

        Assert.Equal(2, streams);
        Assert.Contains(heard.Replies, reply => reply is NoteReply { Message: var text } && text.Contains("trying again", StringComparison.Ordinal));
        Assert.Equal(data, File.ReadAllBytes(Path.Combine(bob.Received, "big.bin")));
    }

    [Fact]
    public async Task Ping_reports_path_address_and_times()
    {
        AgentHome alice = await UpAsync(1);
        await UpAsync(2);
        var heard = new Listener();
        await AskAsync(alice, new PingRequest(Id(2).ToString(), 1), heard);

        PingReply ping = Assert.IsType<PingReply>(Assert.Single(heard.Replies));
        Assert.Equal(("direct", "192.0.2.1:1"), (ping.Path, ping.Address));
        Assert.InRange(ping.RttMs, 0, 5000);
    }

    [Fact]
    public async Task Ping_of_nobody_is_unreachable()
    {
        AgentHome alice = await UpAsync(1);
        AgentException e = await Assert.ThrowsAsync<AgentException>(() => AskAsync(alice, new PingRequest(Id(9).ToString(), 1), new Listener()));
        Assert.Equal(ExitCode.Unreachable, e.ExitCode);
    }

    [Fact]
    public async Task Several_commands_are_served_at_one_time()
    {
        AgentHome alice = await UpAsync(1);
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        Task[] watching = [.. Enumerable.Range(0, 5).Select(_ => AskAsync(alice, new ReceiveRequest(null, [], false, false), new Listener(), leave.Token))];
        var heard = new Listener();
        await AskAsync(alice, new StatusRequest(), heard);

        Assert.IsType<StatusReply>(Assert.Single(heard.Replies));
        await leave.CancelAsync();
        await Task.WhenAll(watching).ContinueWith(_ => { }, Cancel, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    [Fact]
    public async Task Nonsense_and_endless_lines_end_their_connection_and_nothing_else()
    {
        AgentHome alice = await UpAsync(1);
        byte[][] nonsense = ["{}\n"u8.ToArray(), "null\n"u8.ToArray(), "{\"op\":\"fly\"}\n"u8.ToArray(), Encoding.ASCII.GetBytes(new string('a', 2 * ControlConnection.MaxLineBytes))];
        foreach (byte[] bytes in nonsense)
        {
            using Socket? socket = await ControlSocket.TryConnectAsync(alice, Cancel);
            await socket!.SendAsync(bytes, Cancel);
            Assert.Equal(0, await ReadToEndAsync(socket));
        }

        var heard = new Listener();
        await AskAsync(alice, new StatusRequest(), heard);
        Assert.Single(heard.Replies);
    }

    [Fact]
    public async Task Another_version_is_told_so()
    {
        AgentHome alice = await UpAsync(1);
        AgentException e = await Assert.ThrowsAsync<AgentException>(() => AskAsync(alice, new StatusRequest { Version = 2 }, new Listener()));
        Assert.Contains("version", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_agents_never_share_a_home()
    {
        AgentHome alice = await UpAsync(1);
        AgentException e = await Assert.ThrowsAsync<AgentException>(() => AgentRuntime.StartAsync(
            alice, _ => Task.FromResult<INetwork>(_network.Join(Id(1))), NullLogger.Instance, Cancel));
        Assert.Contains("Another carrier process", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Socket_is_the_users_alone_and_gone_with_the_agent()
    {
        AgentHome alice = await UpAsync(1);
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(alice.ControlSocket));
        }

        await DownAsync();
        Assert.False(File.Exists(alice.ControlSocket));
        Assert.Null(await ControlClient.TryConnectAsync(alice, Cancel));
    }

    [Fact]
    public async Task What_a_killed_agent_left_is_replaced()
    {
        AgentHome home = AgentHome.At(_folder.File("home"));
        home.Ensure();
        using (var dead = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            dead.Bind(new UnixDomainSocketEndPoint(home.ControlSocket));
        }

        Assert.Null(await ControlClient.TryConnectAsync(home, Cancel));
        AgentHome alice = await UpAsync(1, home);
        await AskAsync(alice, new StatusRequest(), new Listener());
    }

    [Fact]
    public async Task Home_too_long_for_a_socket_says_so()
    {
        AgentHome home = AgentHome.At(_folder.File(new string('h', 120)));
        AgentException e = await Assert.ThrowsAsync<AgentException>(() => UpAsync(1, home));
        Assert.Contains("shorter --home", e.Message, StringComparison.Ordinal);
    }

    private static TrustId Id(byte number) => new(Enumerable.Repeat(number, TrustId.Bytes).ToArray());

    private static async Task AskAsync(AgentHome home, ControlRequest request, Listener listener, CancellationToken? cancel = null)
    {
        ControlClient? client = await ControlClient.TryConnectAsync(home, Cancel);
        Assert.NotNull(client);
        await using (client)
        {
            await client.RunAsync(request, listener, cancel ?? Cancel);
        }
    }

    private static async Task<int> ReadToEndAsync(Socket socket)
    {
        int total = 0;
        try
        {
            byte[] buffer = new byte[1024];
            int read;
            while ((read = await socket.ReceiveAsync(buffer, Cancel)) > 0)
            {
                total += read;
            }
        }
        catch (SocketException)
        {
            // Closed with our bytes unread.
        }

        return total;
    }

    /// <summary>A receive command takes a moment to be heard by the daemon; until then a stranger is refused.</summary>
    private static async Task SendUntilAttendedAsync(AgentHome home, string file)
    {
        while (true)
        {
            try
            {
                await AskAsync(home, new SendRequest(Id(2).ToString(), file, null), new Listener());
                return;
            }
            catch (AgentException e) when (e.Message.Contains("carrier allow", StringComparison.Ordinal))
            {
                await Task.Yield();
            }
        }
    }

    private async Task<AgentHome> UpAsync(byte number, AgentHome? home = null)
    {
        home ??= AgentHome.At(_folder.File($"h{number}"));
        AgentRuntime runtime = await AgentRuntime.StartAsync(home, _ => Task.FromResult<INetwork>(_network.Join(Id(number))), NullLogger.Instance, Cancel);
        _running.Add(runtime);
        _running.Add(ControlServer.Start(home, runtime.Service, NullLogger.Instance));
        return home;
    }

    /// <summary>Stops the agent that was started last.</summary>
    private async Task DownAsync()
    {
        foreach (IAsyncDisposable running in _running.TakeLast(2).Reverse())
        {
            _running.Remove(running);
            await running.DisposeAsync();
        }
    }

    private sealed class Listener : IConversation
    {
        public ConcurrentQueue<ControlReply> Replies { get; } = new();

        public Stream Data { get; init; } = Stream.Null;

        public bool Answer { get; init; }

        public Stream Input => Data;

        public ValueTask SayAsync(ControlReply reply, CancellationToken cancellationToken)
        {
            if (reply is not ProgressReply)
            {
                Replies.Enqueue(reply);
            }

            return ValueTask.CompletedTask;
        }

        public ValueTask<bool> AskAsync(AskReply question, CancellationToken cancellationToken) => ValueTask.FromResult(Answer);
    }

    /// <summary>Gives some bytes; at the second read its reader leaves.</summary>
    private sealed class StuckStream(CancellationTokenSource leave) : MemoryStream
    {
        private bool _gave;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (!_gave)
            {
                _gave = true;
                return 1000;
            }

            await leave.CancelAsync();
            throw new OperationCanceledException(leave.Token);
        }
    }
}
