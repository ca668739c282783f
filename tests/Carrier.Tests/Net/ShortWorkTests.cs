using System.Net;
using System.Net.Sockets;
using Carrier.Core;

namespace Carrier.Tests.Net;

/// <summary>The network thread lent to the application, and the one that takes its place meanwhile.</summary>
public sealed class ShortWorkTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Short_work_runs_between_turns_and_sends_at_once()
    {
        EchoMachine machine = new();
        await using TestThread thread = new(machine, DatagramSocketsTests.Bind("Plain"));
        using Socket client = thread.Connect();
        Endpoint remote = Endpoint.From((IPEndPoint)client.LocalEndPoint!);
        int here = 0;
        thread.ShortWork = () =>
        {
            int caller = Environment.CurrentManagedThreadId;
            thread.RunOrPost(new RecordingWork(() =>
            {
                here += Environment.CurrentManagedThreadId == caller ? 1 : 0;
                machine.ToSend.Enqueue((remote, [7, 7]));
            }));
        };
        thread.Start();
        byte[] answer = new byte[10];
        for (int i = 0; i < 100; i++)
        {
            client.Send([1]);
            Assert.Equal(1, client.Receive(answer));
            Assert.Equal(2, client.Receive(answer));
        }

        Assert.Null(await thread.StopAsync());
        Assert.Equal(100, here);
    }

    [Fact]
    public async Task Work_that_holds_the_driver_leaves_the_sockets_to_another_thread()
    {
        EchoMachine machine = new();
        await using TestThread thread = new(machine, DatagramSocketsTests.Bind("Plain"));
        using Socket client = thread.Connect();
        byte[] answer = new byte[10];
        List<string?> drivers = [];
        thread.Start();
        for (int i = 0; i < 4; i++)
        {
            using ManualResetEventSlim release = new();
            TaskCompletionSource held = new(TaskCreationOptions.RunContinuationsAsynchronously);
            TaskCompletionSource back = new(TaskCreationOptions.RunContinuationsAsynchronously);
            thread.ShortWork = () =>
            {
                thread.ShortWork = null;
                drivers.Add(Thread.CurrentThread.Name);
                held.SetResult();
                release.Wait(Patience);
                back.SetResult();
            };
            client.Send([1]);
            _ = client.Receive(answer);
            await held.Task.WaitAsync(Patience, Cancellation);

            for (byte j = 2; j < 20; j++)
            {
                client.Send([j]);
                Assert.Equal(1, client.Receive(answer));
                Assert.Equal(j, answer[0]);
            }

            release.Set();
            await back.Task.WaitAsync(Patience, Cancellation);
        }

        Assert.Null(await thread.StopAsync());
        Assert.Equal(["carrier-net", "carrier-relief", "carrier-net", "carrier-relief"], drivers);
    }

    [Fact]
    public async Task DisposeAsync_ends_while_work_holds_the_driver()
    {
        await using TestThread thread = new(new EchoMachine(), DatagramSocketsTests.Bind("Plain"));
        using Socket client = thread.Connect();
        using ManualResetEventSlim release = new();
        TaskCompletionSource held = new(TaskCreationOptions.RunContinuationsAsynchronously);
        thread.ShortWork = () =>
        {
            held.SetResult();
            release.Wait(Patience);
        };
        thread.Start();
        client.Send([1]);
        await held.Task.WaitAsync(Patience, Cancellation);
        thread.ShortWork = null;

        Assert.Null(await thread.StopAsync().WaitAsync(Patience, Cancellation));
        release.Set();
    }
}
