using System.Net;
using System.Net.Sockets;
using Carrier.Core;
using Carrier.Net;

namespace Carrier.Tests.Net;

public sealed class NetworkThreadTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string, int> KindsAndSpins()
    {
        TheoryData<string, int> cases = [];
        foreach (SocketKind kind in DatagramSocketsTests.Kinds())
        {
            cases.Add(kind.ToString(), 0);
        }

        cases.Add("Plain", 50);
        return cases;
    }

    [Theory]
    [MemberData(nameof(KindsAndSpins))]
    public async Task Machine_hears_and_answers(string kind, int spinMicroseconds)
    {
        EchoMachine machine = new();
        await using TestThread thread = new(machine, DatagramSocketsTests.Bind(kind), TimeSpan.FromMicroseconds(spinMicroseconds));
        using Socket client = thread.Connect();
        thread.Start();
        byte[] answer = new byte[100];

        for (int i = 0; i < 200; i++)
        {
            client.Send([(byte)i, 1, 2]);
            Assert.Equal(3, client.Receive(answer));
            Assert.Equal(i, answer[0]);
        }

        Assert.Null(await thread.StopAsync());
    }

    [Theory]
    [MemberData(nameof(KindsAndSpins))]
    public async Task Datagrams_that_come_together_are_all_heard(string kind, int spinMicroseconds)
    {
        await using TestThread thread = new(new EchoMachine(), DatagramSocketsTests.Bind(kind), TimeSpan.FromMicroseconds(spinMicroseconds));
        using Socket client = thread.Connect();
        thread.Start();
        byte[] answer = new byte[100];

        for (int i = 0; i < 100; i++)
        {
            client.Send([1]);
            client.Send([2, 2]);
            client.Send([3, 3, 3]);
            for (int bytes = 0; bytes < 6; bytes += client.Receive(answer))
            {
                // The machine answers what came as one batch in one datagram.
            }
        }
    }

    [Theory]
    [MemberData(nameof(KindsAndSpins))]
    public async Task Datagrams_that_come_together_after_many_alone_are_all_heard(string kind, int spinMicroseconds)
    {
        await using TestThread thread = new(new EchoMachine(), DatagramSocketsTests.Bind(kind), TimeSpan.FromMicroseconds(spinMicroseconds));
        using Socket client = thread.Connect();
        thread.Start();
        byte[] answer = new byte[100];
        for (int i = 0; i < 100; i++)
        {
            int together = i % 10 == 9 ? 5 : 1;
            for (int j = 0; j < together; j++)
            {
                client.Send([(byte)i]);
            }

            for (int bytes = 0; bytes < together;)
            {
                bytes += client.Receive(answer);
                Assert.Equal(i, answer[0]);
            }
        }
    }

    [Fact]
    public async Task Deadline_wakes_the_machine()
    {
        TaskCompletionSource<Instant> woken = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Instant deadline = MonotonicClock.Now + TimeSpan.FromMilliseconds(20);
        EchoMachine machine = new() { NextDeadline = deadline };
        machine.OnTimeout = now =>
        {
            machine.NextDeadline = Instant.Never;
            woken.SetResult(now);
        };
        await using TestThread thread = new(machine, DatagramSocketsTests.Bind("Plain"));
        thread.Start();

        Assert.True(await woken.Task.WaitAsync(Patience, Cancellation) >= deadline);
    }

    [Fact]
    public async Task Post_wakes_a_sleeping_thread_and_runs_there()
    {
        await using TestThread thread = new(new EchoMachine(), DatagramSocketsTests.Bind("Plain"));
        thread.Start();
        int runs = 0;
        for (int i = 0; i < 1_000; i++)
        {
            TaskCompletionSource<string?> ran = new(TaskCreationOptions.RunContinuationsAsynchronously);
            thread.Post(new RecordingWork(() =>
            {
                runs++;
                ran.SetResult(Thread.CurrentThread.Name);
            }));
            Assert.Equal("carrier-net", await ran.Task.WaitAsync(Patience, Cancellation));
        }

        Assert.Null(await thread.StopAsync());
        Assert.Equal(1_000, runs);
    }

    [Fact]
    public async Task RunOrPost_runs_on_the_caller_and_sends_while_the_thread_sleeps()
    {
        EchoMachine machine = new();
        await using TestThread thread = new(machine, DatagramSocketsTests.Bind("Plain"));
        using Socket client = thread.Connect();
        Endpoint remote = Endpoint.From((IPEndPoint)client.LocalEndPoint!);
        thread.Start();
        byte[] answer = new byte[2];
        int here = 0;
        for (int i = 0; i < 200; i++)
        {
            int caller = Environment.CurrentManagedThreadId;
            byte mark = (byte)i;
            thread.RunOrPost(new RecordingWork(() =>
            {
                here += Environment.CurrentManagedThreadId == caller ? 1 : 0;
                machine.ToSend.Enqueue((remote, [mark]));
            }));

            Assert.Equal(1, client.Receive(answer));
            Assert.Equal(mark, answer[0]);
        }

        Assert.True(here > 0, "the thread was never found asleep");
        Assert.Null(await thread.StopAsync());
    }

    [Fact]
    public async Task RunOrPost_from_within_a_turn_waits_for_its_end()
    {
        await using TestThread thread = new(new EchoMachine(), DatagramSocketsTests.Bind("Plain"));
        thread.Start();
        TaskCompletionSource<bool> ran = new(TaskCreationOptions.RunContinuationsAsynchronously);
        bool isOver = false;
        thread.Post(new RecordingWork(() =>
        {
            thread.RunOrPost(new RecordingWork(() => ran.SetResult(isOver)));
            isOver = true;
        }));

        Assert.True(await ran.Task.WaitAsync(Patience, Cancellation));
    }

    [Fact]
    public async Task Deadline_brought_forward_on_another_thread_is_kept()
    {
        TaskCompletionSource<Instant> woken = new(TaskCreationOptions.RunContinuationsAsynchronously);
        EchoMachine machine = new();
        machine.OnTimeout = now =>
        {
            machine.NextDeadline = Instant.Never;
            woken.TrySetResult(now);
        };
        await using TestThread thread = new(machine, DatagramSocketsTests.Bind("Plain"));
        thread.Start();
        TaskCompletionSource isUp = new(TaskCreationOptions.RunContinuationsAsynchronously);
        thread.Post(new RecordingWork(isUp.SetResult));
        await isUp.Task.WaitAsync(Patience, Cancellation);

        thread.RunOrPost(new RecordingWork(() => machine.NextDeadline = MonotonicClock.Now + TimeSpan.FromMilliseconds(5)));

        _ = await woken.Task.WaitAsync(Patience, Cancellation);
    }

    [Fact]
    public async Task Fault_on_another_thread_stops_this_one_and_is_told()
    {
        await using TestThread thread = new(new EchoMachine(), DatagramSocketsTests.Bind("Plain"));
        thread.Start();
        RecordingWork late = new(() => Assert.Fail("ran"));

        thread.RunOrPost(new RecordingWork(() => throw new InvalidOperationException("broken")));
        Exception? fault = await thread.Stopped.WaitAsync(Patience, Cancellation);
        thread.RunOrPost(late);

        Assert.Equal("broken", fault?.Message);
        Assert.Equal(1, late.Abandoned);
    }

    [Fact]
    public async Task Effects_that_change_the_machine_are_followed_by_a_transmit()
    {
        EchoMachine machine = new();
        await using TestThread thread = new(machine, DatagramSocketsTests.Bind("Plain"));
        using Socket client = thread.Connect();
        thread.Start();
        bool isTold = false;
        thread.Post(new RecordingWork(() => thread.OnEffects = () =>
        {
            // Told on the second drain of the turn, after the machine had its say.
            if (!isTold && thread.DrainsThisTurn == 2)
            {
                isTold = true;
                machine.ToSend.Enqueue((Endpoint.From((IPEndPoint)client.LocalEndPoint!), [9]));
                return true;
            }

            return false;
        }));

        byte[] answer = new byte[2];
        Assert.Equal(1, client.Receive(answer));
    }

    [Fact]
    public async Task Batch_the_kernel_has_no_room_for_is_finished_before_the_next()
    {
        EchoMachine machine = new();
        DatagramSockets sockets = DatagramSocketsTests.Bind("Plain");
        sockets.SendBy(0, new FullSocket(sockets[0]));
        await using TestThread thread = new(machine, sockets);
        using Socket client = thread.Connect();
        Endpoint remote = Endpoint.From((IPEndPoint)client.LocalEndPoint!);
        machine.ToSend.Enqueue((remote, [0, 1, 2, 3, 4, 5, 6]));
        machine.ToSend.Enqueue((remote, [7, 8]));
        machine.SegmentBytes = 1;
        thread.Start();

        byte[] datagram = new byte[2];
        for (int i = 0; i < 9; i++)
        {
            Assert.Equal(1, client.Receive(datagram));
            Assert.Equal(i, datagram[0]);
        }

        await thread.DisposeAsync();
        Assert.Equal(9, sockets.Counters.DatagramsSent);
        Assert.True(sockets.Counters.SendsBlocked >= 8, "a full buffer took everything");
    }

    [Fact]
    public async Task Fault_of_the_machine_stops_the_thread_and_is_told()
    {
        EchoMachine machine = new() { OnTimeout = _ => throw new InvalidOperationException("broken"), NextDeadline = Instant.Zero };
        await using TestThread thread = new(machine, DatagramSocketsTests.Bind("Plain"));
        RecordingWork late = new(() => Assert.Fail("ran"));
        thread.Start();

        Exception? fault = await thread.Stopped.WaitAsync(Patience, Cancellation);
        thread.Post(late);

        Assert.Equal("broken", fault?.Message);
        Assert.Equal(1, late.Abandoned);
        Assert.Throws<ObjectDisposedException>(() => thread.Sockets[0].Available);
    }

    [Fact]
    public async Task DisposeAsync_runs_posted_work_and_sends_its_farewell()
    {
        EchoMachine machine = new();
        TestThread thread = new(machine, DatagramSocketsTests.Bind("Plain"));
        using Socket client = thread.Connect();
        Endpoint remote = Endpoint.From((IPEndPoint)client.LocalEndPoint!);
        thread.Start();
        thread.Post(new RecordingWork(() => machine.ToSend.Enqueue((remote, [1, 2, 3, 4]))));

        await thread.DisposeAsync();
        await thread.DisposeAsync();

        Assert.Equal(4, client.Receive(new byte[8]));
    }

    [Fact]
    public async Task DisposeAsync_of_a_thread_never_started_closes_its_sockets()
    {
        TestThread thread = new(new EchoMachine(), DatagramSocketsTests.Bind("Plain"));

        await thread.DisposeAsync();

        Assert.Throws<ObjectDisposedException>(() => thread.Sockets[0].Available);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Waiter_ends_on_a_wake_a_packet_or_the_timeout(bool isPortable)
    {
        using DatagramSockets sockets = DatagramSocketsTests.Bind("Plain");
        using SocketWaiter waiter = isPortable ? new SelectWaiter(sockets) : SocketWaiter.For(sockets);

        Assert.False(waiter.Wait(TimeSpan.Zero, SocketWaiter.NoWriter));
        Assert.False(waiter.Wait(TimeSpan.FromMilliseconds(2), SocketWaiter.NoWriter));
        Assert.True(waiter.Wait(Patience, writer: 0), "an idle socket has room to send");

        waiter.Wake();
        waiter.Wake();
        Assert.True(waiter.Wait(TimeSpan.FromDays(400), SocketWaiter.NoWriter));
        waiter.Wake();
        Assert.True(waiter.Wait(Timeout.InfiniteTimeSpan, SocketWaiter.NoWriter));
        Assert.False(waiter.Wait(TimeSpan.Zero, SocketWaiter.NoWriter), "wakes join");

        Task<bool> wait = Task.Run(() => waiter.Wait(Patience, SocketWaiter.NoWriter), Cancellation);
        sockets.Send(sockets.LocalEndpoint(AddressFamily.InterNetwork), [1], 1, out _);
        Assert.True(await wait);
        Assert.True(waiter.IsReadable(0));
        Assert.True(sockets.TryReceive(0, new byte[DatagramSocket.SlabBytes], out _, out _, out _));
        Assert.False(waiter.Wait(TimeSpan.Zero, SocketWaiter.NoWriter));
        Assert.False(waiter.IsReadable(0));
        Assert.True(waiter.Wait(TimeSpan.Zero, writer: 0));
        Assert.False(waiter.IsReadable(0), "room to send is nothing to read");

        waiter.Dispose();
        waiter.Wake();
    }

    /// <summary>Has room for one datagram every second call.</summary>
    private sealed class FullSocket(Socket socket) : DatagramSocket(socket, new SocketCounters())
    {
        private bool _isFull;

        public override SocketKind Kind => SocketKind.Plain;

        public override bool TryReceive(Span<byte> slab, out Endpoint remote, out int bytes, out int segmentBytes) =>
            throw new NotSupportedException();

        public override SendResult Send(
            Endpoint to, ReadOnlySpan<byte> datagrams, int segmentBytes, out int sentBytes, EcnCodepoint ecn = EcnCodepoint.NotCapable)
        {
            _isFull = !_isFull;
            sentBytes = _isFull ? 0 : Socket.SendTo(datagrams[..segmentBytes], SocketFlags.None, to.ToIPEndPoint());
            return sentBytes == datagrams.Length ? SendResult.Sent : SendResult.WouldBlock;
        }
    }
}
