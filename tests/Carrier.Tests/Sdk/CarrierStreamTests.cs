using System.IO.Pipelines;
using System.Security.Cryptography;
using Carrier.Net;

namespace Carrier.Tests.Sdk;

public sealed class CarrierStreamTests : IAsyncLifetime
{
    private const string Echo = "test/echo/1";
    private const int ChunkBytes = 256 * 1024;

    private SmallNetwork _network = null!;

    public async ValueTask InitializeAsync() => _network = await SmallNetwork.StartAsync();

    public ValueTask DisposeAsync() => _network.DisposeAsync();

    [Theory]
    [InlineData("Gso")]
    [InlineData("Mmsg")]
    [InlineData("Plain")]
    public async Task Stream_carries_64_MB_there_and_back(string kind)
    {
        if (kind != "Plain")
        {
            Assert.SkipUnless(OperatingSystem.IsLinux(), "This socket kind exists on Linux only.");
        }

        (CarrierNode listener, CarrierNode dialler) = await _network.StartPairAsync(Enum.Parse<SocketKind>(kind));
        using IDisposable listening = listener.Listen(Echo, EchoAsync);
        await using CarrierSession session = await dialler.ConnectAsync(listener.TrustId, Echo).WaitAsync(SmallNetwork.Patience);
        await using CarrierStream stream = await session.OpenStreamAsync();
        Assert.Equal(listener.TrustId, session.Peer);

        Task<byte[]> sent = SendRandomAsync(stream.Output, 64 << 20);
        byte[] received = await HashAsync(stream.Input).WaitAsync(SmallNetwork.Patience);

        Assert.Equal(await sent, received);
    }

    [Fact]
    public async Task Stream_the_peer_allows_opens_without_a_wait()
    {
        (CarrierNode listener, CarrierNode dialler) = await _network.StartPairAsync();
        using IDisposable listening = listener.Listen(Echo, EchoAsync);
        await using CarrierSession session = await dialler.ConnectAsync(listener.TrustId, Echo).WaitAsync(SmallNetwork.Patience);
        int atOnce = 0;
        for (int i = 0; i < 100; i++)
        {
            ValueTask<CarrierStream> opening = session.OpenStreamAsync();
            atOnce += opening.IsCompletedSuccessfully ? 1 : 0;
            await using CarrierStream stream = await opening;
        }

        Assert.True(atOnce > 0, "no stream was open before it was awaited");
    }

    [Fact]
    public async Task Many_streams_at_once_do_not_mix()
    {
        (CarrierNode listener, CarrierNode dialler) = await _network.StartPairAsync();
        using IDisposable listening = listener.Listen(Echo, EchoAsync);
        await using CarrierSession session = await dialler.ConnectAsync(listener.TrustId, Echo).WaitAsync(SmallNetwork.Patience);

        // More than the peer allows at once: later ones wait their turn.
        await Task.WhenAll(Enumerable.Range(0, 1_500).Select(async i =>
        {
            await using CarrierStream stream = await session.OpenStreamAsync();
            Task<byte[]> sent = SendRandomAsync(stream.Output, 1_000 + i);
            Assert.Equal(await HashAsync(stream.Input), await sent);
        })).WaitAsync(SmallNetwork.Patience);
    }

    [Fact]
    public async Task Completed_output_is_the_peers_end_and_the_other_way_stays_open()
    {
        (CarrierNode listener, CarrierNode dialler) = await _network.StartPairAsync();
        using IDisposable listening = listener.Listen("test/length/1", async (session, stop) =>
        {
            CarrierStream stream = (await session.AcceptStreamAsync(stop))!;
            long bytes = 0;
            ReadResult result;
            do
            {
                result = await stream.Input.ReadAsync(stop);
                bytes += result.Buffer.Length;
                stream.Input.AdvanceTo(result.Buffer.End);
            }
            while (!result.IsCompleted);

            // Returns at once: what was completed still reaches the peer.
            await stream.Output.WriteAsync(BitConverter.GetBytes(bytes), stop);
            await stream.Output.CompleteAsync();
        });
        await using CarrierSession session = await dialler.ConnectAsync(listener.TrustId, "test/length/1").WaitAsync(SmallNetwork.Patience);
        CarrierStream stream = await session.OpenStreamAsync();

        await stream.Output.WriteAsync(new byte[100_000]);
        await stream.Output.CompleteAsync();
        byte[] answer = new byte[8];
        await stream.AsStream().ReadExactlyAsync(answer).AsTask().WaitAsync(SmallNetwork.Patience);

        Assert.Equal(100_000, BitConverter.ToInt64(answer));
        Assert.Equal(0, await stream.AsStream().ReadAsync(answer));
        await session.Closed.WaitAsync(SmallNetwork.Patience);
        Assert.Equal(CarrierError.ClosedByPeer, session.CloseError);
    }

    [Fact]
    public async Task Abort_faults_the_peers_reader_and_writer_with_its_code()
    {
        (CarrierNode listener, CarrierNode dialler) = await _network.StartPairAsync();
        TaskCompletionSource<(CarrierException Read, CarrierException Write)> seen = new();
        using IDisposable listening = listener.Listen("test/reset/1", async (session, stop) =>
        {
            Stream stream = (await session.AcceptStreamAsync(stop))!.AsStream();
            CarrierException read = await Assert.ThrowsAsync<CarrierException>(() => stream.CopyToAsync(Stream.Null, stop));
            CarrierException write = await Assert.ThrowsAsync<CarrierException>(async () =>
            {
                while (true)
                {
                    await stream.WriteAsync(new byte[1000], stop);
                }
            });
            seen.SetResult((read, write));
        });
        await using CarrierSession session = await dialler.ConnectAsync(listener.TrustId, "test/reset/1").WaitAsync(SmallNetwork.Patience);
        CarrierStream stream = await session.OpenStreamAsync();
        await stream.Output.WriteAsync(new byte[100_000]);

        stream.Abort(77);

        (CarrierException readFault, CarrierException writeFault) = await seen.Task.WaitAsync(SmallNetwork.Patience);
        Assert.Equal((CarrierError.StreamReset, 77UL), (readFault.Error, readFault.Code));
        Assert.Equal((CarrierError.StreamReset, 77UL), (writeFault.Error, writeFault.Code));
        await Assert.ThrowsAsync<CarrierException>(async () => await stream.Input.ReadAsync());
    }

    [Fact]
    public async Task Reader_that_never_reads_bounds_what_both_sides_hold()
    {
        (CarrierNode listener, CarrierNode dialler) = await _network.StartPairAsync();
        TaskCompletionSource<CarrierStream> accepted = new();
        using IDisposable listening = listener.Listen("test/stuck/1", async (session, stop) =>
        {
            accepted.SetResult((await session.AcceptStreamAsync(stop))!);
            await session.Closed.WaitAsync(stop);
        });
        using IDisposable echoing = listener.Listen(Echo, EchoAsync);
        await using CarrierSession session = await dialler.ConnectAsync(listener.TrustId, "test/stuck/1").WaitAsync(SmallNetwork.Patience);
        await using CarrierSession beside = await dialler.ConnectAsync(listener.TrustId, Echo).WaitAsync(SmallNetwork.Patience);
        await using CarrierStream pings = await beside.OpenStreamAsync();
        CarrierStream stream = await session.OpenStreamAsync();
        byte[] chunk = new byte[ChunkBytes];
        long written = 0;
        Task<FlushResult> flush;
        do
        {
            flush = stream.Output.WriteAsync(chunk).AsTask();
            written += chunk.Length;
        }
        while (await CompletesWithinAsync(flush, roundTrips: 500, pings));

        // Two pipes, the send buffer and the receive window.
        Assert.InRange(written, 1 << 20, 64 << 20);
        Stream reader = (await accepted.Task).AsStream();
        byte[] rest = new byte[written];
        await reader.ReadExactlyAsync(rest).AsTask().WaitAsync(SmallNetwork.Patience);
        await flush.WaitAsync(SmallNetwork.Patience);
    }

    [Fact]
    public async Task Network_threads_allocate_nothing_a_packet()
    {
        (CarrierNode listener, CarrierNode dialler) = await _network.StartPairAsync();
        using IDisposable listening = listener.Listen(Echo, EchoAsync);
        await using CarrierSession session = await dialler.ConnectAsync(listener.TrustId, Echo).WaitAsync(SmallNetwork.Patience);
        await using CarrierStream stream = await session.OpenStreamAsync();
        await RoundAsync(64 << 20);

        // Rings and slabs grow to the deepest queue there ever was, and not beyond: a few rounds at most meet a new depth. What a packet
        // itself allocates would show in every round.
        double perPacket;
        int rounds = 0;
        do
        {
            long allocated = -await AllocatedAsync();
            long packets = -Sent();
            await RoundAsync(32 << 20);
            allocated += await AllocatedAsync();
            packets += Sent();
            Assert.True(packets > 20_000, $"{packets} packets");
            perPacket = (double)allocated / packets;
        }
        while (perPacket >= 1 && ++rounds < 16);

        Assert.True(perPacket < 1, $"{perPacket} bytes a packet");

        async Task<long> AllocatedAsync() => await dialler.ThreadAllocatedBytesAsync() + await listener.ThreadAllocatedBytesAsync();

        long Sent() => dialler.Counters.DatagramsSent + listener.Counters.DatagramsSent;

        async Task RoundAsync(int bytes)
        {
            Task writing = Task.Run(async () =>
            {
                byte[] chunk = new byte[ChunkBytes];
                for (int sent = 0; sent < bytes; sent += chunk.Length)
                {
                    await stream.Output.WriteAsync(chunk);
                }
            });
            long left = bytes;
            while (left > 0)
            {
                ReadResult result = await stream.Input.ReadAsync();
                left -= result.Buffer.Length;
                stream.Input.AdvanceTo(result.Buffer.End);
            }

            await writing.WaitAsync(SmallNetwork.Patience);
        }
    }

    // The network's own clock: both network threads work all the while, however busy the machine.
    private static async Task<bool> CompletesWithinAsync(Task task, int roundTrips, CarrierStream echoed)
    {
        Stream pings = echoed.AsStream();
        byte[] one = new byte[1];
        for (int i = 0; i < roundTrips && !task.IsCompleted; i++)
        {
            await pings.WriteAsync(one);
            await pings.ReadExactlyAsync(one).AsTask().WaitAsync(SmallNetwork.Patience);
        }

        return task.IsCompleted;
    }

    /// <summary>Sends everything back, stream by stream, until the session ends.</summary>
    internal static async Task EchoAsync(CarrierSession session, CancellationToken stop)
    {
        List<Task> echoes = [];
        while (await session.AcceptStreamAsync(stop) is { } stream)
        {
            echoes.Add(EchoAsync(stream, stop));
        }

        await Task.WhenAll(echoes);
    }

    private static async Task EchoAsync(CarrierStream stream, CancellationToken stop)
    {
        try
        {
            await stream.Input.CopyToAsync(stream.Output, stop);
            await stream.Output.CompleteAsync();
        }
        catch (CarrierException)
        {
            return; // cut off from the other side
        }
    }

    private static async Task<byte[]> SendRandomAsync(PipeWriter output, int bytes)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] chunk = RandomNumberGenerator.GetBytes(ChunkBytes);
        for (int left = bytes; left > 0; left -= chunk.Length)
        {
            ReadOnlyMemory<byte> piece = chunk.AsMemory(0, Math.Min(left, chunk.Length));
            hash.AppendData(piece.Span);
            await output.WriteAsync(piece);
        }

        await output.CompleteAsync();
        return hash.GetHashAndReset();
    }

    private static async Task<byte[]> HashAsync(PipeReader input)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        while (true)
        {
            ReadResult result = await input.ReadAsync();
            foreach (ReadOnlyMemory<byte> segment in result.Buffer)
            {
                hash.AppendData(segment.Span);
            }

            input.AdvanceTo(result.Buffer.End);
            if (result.IsCompleted)
            {
                return hash.GetHashAndReset();
            }
        }
    }
}
