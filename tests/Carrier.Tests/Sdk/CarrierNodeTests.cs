using System.Diagnostics;
using System.Diagnostics.Metrics;
using Carrier.Core.Identity;

namespace Carrier.Tests.Sdk;

public sealed class CarrierNodeTests : IAsyncLifetime
{
    private SmallNetwork _network = null!;

    public async ValueTask InitializeAsync() => _network = await SmallNetwork.StartAsync();

    public ValueTask DisposeAsync() => _network.DisposeAsync();

    [Fact]
    public async Task ResolveAsync_of_a_ready_node_tells_its_device()
    {
        (CarrierNode listener, CarrierNode dialler) = await _network.StartPairAsync();

        Resolution found = await dialler.ResolveAsync(listener.TrustId).WaitAsync(SmallNetwork.Patience);

        ResolvedDevice device = Assert.Single(found.Devices);
        Assert.Contains(device.Candidates, candidate => listener.LocalEndpoints.Contains(candidate.Endpoint));
        Assert.Equal(_network.Seed.ServingAddress, Assert.Single(device.Homes));
        NodeStatus status = await listener.GetStatusAsync();
        Assert.True(status.IsReady);
        Assert.Equal(_network.Seed.ServingAddress, Assert.Single(status.Homes));
    }

    [Fact]
    public async Task ConnectAsync_to_nobody_fails_soon_and_says_so()
    {
        (_, CarrierNode dialler) = await _network.StartPairAsync();
        long start = Stopwatch.GetTimestamp();

        CarrierException failure = await Assert.ThrowsAsync<CarrierException>(
            () => dialler.ConnectAsync(new TrustId(new byte[TrustId.Bytes]), "test").WaitAsync(SmallNetwork.Patience));

        Assert.Equal(CarrierError.NotFound, failure.Error);
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(8));
    }

    [Fact]
    public async Task PathChanged_subscriber_that_throws_harms_neither_the_process_nor_the_others()
    {
        (CarrierNode listener, CarrierNode dialler) = await _network.StartPairAsync();
        using IDisposable listening = listener.Listen("test/echo/1", CarrierStreamTests.EchoAsync);
        await using CarrierSession session = await dialler.ConnectAsync(listener.TrustId, "test/echo/1").WaitAsync(SmallNetwork.Patience);
        TaskCompletionSource<PathStatus> told = new(TaskCreationOptions.RunContinuationsAsynchronously);
        session.PathChanged += (_, _) => throw new InvalidOperationException("thrown by a subscriber");
        session.PathChanged += (_, path) => told.TrySetResult(path);

        session.OnPathChanged(session.Path);

        Assert.Equal(session.Path.Kind, (await told.Task.WaitAsync(SmallNetwork.Patience)).Kind);
        Stream stream = (await session.OpenStreamAsync()).AsStream();
        await stream.WriteAsync("still here"u8.ToArray());
        await stream.ReadExactlyAsync(new byte[10]).AsTask().WaitAsync(SmallNetwork.Patience);
    }

    [Fact]
    public async Task ConnectAsync_reaches_the_only_serving_node_by_its_TrustID_and_it_reaches_others()
    {
        await using SmallNetwork alone = await SmallNetwork.StartAsync(seedHasOwner: true);
        CarrierNode dialler = await alone.StartNodeAsync();
        using IDisposable atSeed = alone.Seed.Listen("test/echo/1", CarrierStreamTests.EchoAsync);
        using IDisposable atDialler = dialler.Listen("test/echo/1", CarrierStreamTests.EchoAsync);

        await using CarrierSession session = await dialler.ConnectAsync(alone.Seed.TrustId, "test/echo/1").WaitAsync(SmallNetwork.Patience);
        Assert.Equal(alone.Seed.TrustId, session.Peer);
        await dialler.WaitUntilReadyAsync().WaitAsync(SmallNetwork.Patience);
        await using CarrierSession back = await alone.Seed.ConnectAsync(dialler.TrustId, "test/echo/1").WaitAsync(SmallNetwork.Patience);
        Assert.Equal(dialler.TrustId, back.Peer);
    }

    [Fact]
    public async Task ConnectAsync_right_after_the_start_waits_for_the_network()
    {
        CarrierNode listener = await _network.StartNodeAsync();
        using IDisposable listening = listener.Listen("test/echo/1", CarrierStreamTests.EchoAsync);
        await listener.WaitUntilReadyAsync().WaitAsync(SmallNetwork.Patience);
        CarrierNode dialler = await _network.StartNodeAsync();

        await using CarrierSession session = await dialler.ConnectAsync(listener.TrustId, "test/echo/1").WaitAsync(SmallNetwork.Patience);

        Assert.Equal(listener.TrustId, session.Peer);
    }

    [Fact]
    public async Task ConnectAsync_without_a_network_is_told_apart_from_nobody()
    {
        CarrierNode alone = await _network.StartNodeAsync(knowsSeed: false);

        CarrierException failure = await Assert.ThrowsAsync<CarrierException>(
            () => alone.ConnectAsync(_network.NewIdentity().TrustId, "test").WaitAsync(SmallNetwork.Patience));

        Assert.Equal(CarrierError.NetworkUnreachable, failure.Error);
    }

    [Fact]
    public async Task ConnectAsync_for_a_protocol_nobody_listens_to_ends_with_that_word()
    {
        (CarrierNode listener, CarrierNode dialler) = await _network.StartPairAsync();

        await using CarrierSession session = await dialler.ConnectAsync(listener.TrustId, "test/none/1").WaitAsync(SmallNetwork.Patience);
        await session.Closed.WaitAsync(SmallNetwork.Patience);

        Assert.Equal(CarrierError.ProtocolNotSpoken, session.CloseError);
        CarrierException failure = await Assert.ThrowsAsync<CarrierException>(async () => await session.OpenStreamAsync());
        Assert.Equal(CarrierError.ProtocolNotSpoken, failure.Error);
        Assert.Null(await session.AcceptStreamAsync());
    }

    [Fact]
    public async Task Cancelled_dial_ends_and_leaves_nothing()
    {
        (CarrierNode listener, CarrierNode dialler) = await _network.StartPairAsync();
        await listener.DisposeAsync();
        using CancellationTokenSource cancel = new();

        Task<CarrierSession> dial = dialler.ConnectAsync(listener.TrustId, "test", cancel.Token);
        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => dial.WaitAsync(SmallNetwork.Patience));
        await dialler.GetStatusAsync();
        Assert.Equal(0, await dialler.PendingOperationsAsync());
    }

    [Fact]
    public async Task Datagrams_arrive_whole_until_the_session_ends()
    {
        (CarrierNode listener, CarrierNode dialler) = await _network.StartPairAsync();
        using IDisposable listening = listener.Listen("test/datagrams/1", async (session, stop) =>
        {
            byte[] buffer = new byte[2_000];
            while (true)
            {
                int bytes = await session.ReceiveDatagramAsync(buffer, stop);
                Assert.True(session.TrySendDatagram(buffer.AsSpan(0, bytes)));
            }
        });
        CarrierSession session = await dialler.ConnectAsync(listener.TrustId, "test/datagrams/1").WaitAsync(SmallNetwork.Patience);
        byte[] answer = new byte[2_000];
        for (int i = 1; i <= 200; i++)
        {
            byte[] datagram = new byte[i];
            datagram.AsSpan().Fill((byte)i);
            Assert.True(session.TrySendDatagram(datagram));
            int bytes = await session.ReceiveDatagramAsync(answer).AsTask().WaitAsync(SmallNetwork.Patience);
            Assert.Equal(datagram, answer[..bytes]);
        }

        Assert.False(session.TrySendDatagram(new byte[session.MaxDatagramBytes + 1]));
        await session.CloseAsync();
        Assert.False(session.TrySendDatagram(answer.AsSpan(0, 1)));
        await Assert.ThrowsAsync<CarrierException>(async () => await session.ReceiveDatagramAsync(answer));
    }

    [Fact]
    public async Task DisposeAsync_amid_a_transfer_ends_both_sides_soon()
    {
        (CarrierNode listener, CarrierNode dialler) = await _network.StartPairAsync();
        using IDisposable listening = listener.Listen("test/echo/1", CarrierStreamTests.EchoAsync);
        CarrierSession session = await dialler.ConnectAsync(listener.TrustId, "test/echo/1").WaitAsync(SmallNetwork.Patience);
        CarrierStream stream = await session.OpenStreamAsync();
        Task writing = Task.Run(async () =>
        {
            while (true)
            {
                await stream.Output.WriteAsync(new byte[100_000]);
            }
        });
        Task reading = stream.Input.CopyToAsync(Stream.Null);

        await listener.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(10));
        await session.Closed.WaitAsync(SmallNetwork.Patience);

        Assert.Equal(CarrierError.ClosedByPeer, session.CloseError);
        Assert.Equal(CarrierError.ClosedByPeer, (await Assert.ThrowsAsync<CarrierException>(() => writing)).Error);
        Assert.Equal(CarrierError.ClosedByPeer, (await Assert.ThrowsAsync<CarrierException>(() => reading)).Error);
        Assert.Empty(await dialler.GetPeersAsync());
        await dialler.DisposeAsync();
        await dialler.DisposeAsync();
        Assert.Equal(CarrierError.NodeStopped, (await Assert.ThrowsAsync<CarrierException>(() => dialler.ConnectAsync(listener.TrustId, "x"))).Error);
    }

    [Fact]
    public async Task Meter_tells_what_nodes_do_and_names_nobody()
    {
        (CarrierNode listener, CarrierNode dialler) = await _network.StartPairAsync();
        using MeterListener meters = new() { InstrumentPublished = (instrument, it) => Enable(it, instrument) };
        Dictionary<string, long> told = [];
        HashSet<string> tags = [];
        meters.SetMeasurementEventCallback<long>((instrument, value, labels, _) =>
        {
            told[instrument.Name] = told.GetValueOrDefault(instrument.Name) + value;
            foreach (KeyValuePair<string, object?> label in labels)
            {
                tags.Add(label.Key);
            }
        });
        meters.Start();

        meters.RecordObservableInstruments();

        Assert.True(told["carrier.network.sent"] > 0);
        Assert.True(told.ContainsKey("carrier.sessions"));
        Assert.Equal(["reason"], tags);

        static void Enable(MeterListener it, Instrument instrument)
        {
            if (instrument.Meter.Name == "Carrier")
            {
                Assert.NotNull(instrument.Unit);
                it.EnableMeasurementEvents(instrument);
            }
        }
    }

    [Fact]
    public async Task Handler_that_throws_closes_its_session_and_no_more()
    {
        (CarrierNode listener, CarrierNode dialler) = await _network.StartPairAsync();
        using IDisposable listening = listener.Listen("test/throw/1", (_, _) => throw new InvalidOperationException("broken"));
        Assert.Throws<InvalidOperationException>(() => listener.Listen("test/throw/1", CarrierStreamTests.EchoAsync));

        for (int i = 0; i < 2; i++)
        {
            await using CarrierSession session = await dialler.ConnectAsync(listener.TrustId, "test/throw/1").WaitAsync(SmallNetwork.Patience);
            await session.Closed.WaitAsync(SmallNetwork.Patience);
            Assert.Equal(CarrierError.ClosedByPeer, session.CloseError);
        }
    }

    [Fact]
    public async Task Node_restarted_with_its_state_needs_no_seed()
    {
        string folder = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        try
        {
            CarrierNode listener = await _network.StartNodeAsync();
            using IDisposable listening = listener.Listen("test/echo/1", CarrierStreamTests.EchoAsync);
            NodeIdentity identity = _network.NewIdentity();
            CarrierNode first = await _network.StartNodeAsync(identity: identity, state: folder);
            await Task.WhenAll(listener.WaitUntilReadyAsync(), first.WaitUntilReadyAsync()).WaitAsync(SmallNetwork.Patience);
            await first.DisposeAsync();

            CarrierNode second = await _network.StartNodeAsync(identity: identity, state: folder, knowsSeed: false);
            await using CarrierSession session = await second.ConnectAsync(listener.TrustId, "test/echo/1").WaitAsync(SmallNetwork.Patience);

            Assert.Equal(listener.TrustId, session.Peer);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
