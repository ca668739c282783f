using System.Buffers.Binary;
using Carrier.Core;
using Carrier.Node.Relay;
using Carrier.Tests.Nat;

namespace Carrier.Tests.Node.Relay;

public sealed class RelayMachineTests
{
    private static readonly Endpoint Dialler = Addresses.Of("198.51.100.20:5000");
    private static readonly Endpoint Target = Addresses.Of("203.0.113.7:61000");

    private readonly DropCounters _drops = new();
    private readonly byte[] _buffer = new byte[65_536];

    [Fact]
    public void Handle_forwards_whole_batches_byte_for_byte_under_the_other_sides_id()
    {
        RelayMachine relay = Relay(RelayBudgets.Unlimited);
        RelayClient client = new(Target);
        ulong channel = Open(relay, Dialler, client);
        byte[] batch = Batch(channel, segments: 40, segmentBytes: 1200, lastBytes: 500);
        relay.Handle(Instant.Zero, Dialler, batch, 1200);
        Array.Fill(_buffer, (byte)0xEE);
        Assert.True(relay.TryTransmit(Instant.Zero, _buffer, out Transmit transmit));
        Assert.Equal(new(new(Target), batch.Length, 1200), transmit);
        ulong id = BinaryPrimitives.ReadUInt64BigEndian(_buffer.AsSpan(1));
        Assert.NotEqual(channel, id);
        for (int at = 0; at < batch.Length; at += 1200)
        {
            BinaryPrimitives.WriteUInt64BigEndian(batch.AsSpan(at + 1), id);
        }

        Assert.Equal(batch, _buffer[..transmit.Bytes]);
        Assert.All(_buffer[transmit.Bytes..], b => Assert.Equal(0xEE, b)); // nothing beyond was written
        Assert.False(relay.TryTransmit(Instant.Zero, _buffer, out _));
        Assert.Equal(40, relay.ForwardedPackets);
    }

    [Fact]
    public void Handle_only_the_bound_endpoint_may_send()
    {
        RelayMachine relay = Relay(RelayBudgets.Unlimited);
        ulong channel = Open(relay, Dialler, new(Target));
        byte[] data = Batch(channel, 1, 100, 100);
        relay.Handle(Instant.Zero, Addresses.Of("6.6.6.6:6"), data, 100);
        relay.Handle(Instant.Zero, Dialler.WithPort(1), data, 100);
        relay.Handle(Instant.Zero, Target, data, 100); // the other side's id
        Assert.Equal(3, _drops[DropReason.NotAuthorized]);
        Assert.False(relay.TryTransmit(Instant.Zero, _buffer, out _));
    }

    [Fact]
    public void Handle_nested_empty_oversized_and_unknown_are_dropped()
    {
        RelayMachine relay = Relay(RelayBudgets.Unlimited);
        ulong channel = Open(relay, Dialler, new(Target));
        byte[] nested = Batch(channel, 1, 100, 100);
        nested[9] = 0x42;
        relay.Handle(Instant.Zero, Dialler, nested, 100);
        relay.Handle(Instant.Zero, Dialler, Batch(channel, 1, 9, 9), 9);
        relay.Handle(Instant.Zero, Dialler, Batch(channel, 1, 1501, 1501), 1501);
        relay.Handle(Instant.Zero, Dialler, Batch(channel ^ 1, 1, 100, 100), 100);
        Assert.Equal(3, _drops[DropReason.Malformed]);
        Assert.Equal(1, _drops[DropReason.UnknownTarget]);
        Assert.False(relay.TryTransmit(Instant.Zero, _buffer, out _));
    }

    [Fact]
    public void Handle_batch_of_several_channels_takes_each_datagram_for_itself()
    {
        RelayMachine relay = Relay(RelayBudgets.Unlimited);
        ulong first = Open(relay, Dialler, new(Target));
        ulong second = Open(relay, Dialler, new(Target.WithPort(2)));
        byte[] nested = Batch(first, 1, 100, 100);
        nested[9] = 0x42;
        byte[] batch = [.. Batch(first, 2, 100, 100), .. Batch(second, 3, 100, 100), .. nested, .. Batch(second ^ 1, 1, 100, 100), .. Batch(first, 2, 100, 60)];
        relay.Handle(Instant.Zero, Dialler, batch, 100);
        List<(Endpoint To, int Bytes)> sent = [];
        while (relay.TryTransmit(Instant.Zero, _buffer, out Transmit transmit))
        {
            sent.Add((transmit.Path.Remote, transmit.Bytes));
        }

        Assert.Equal([(Target, 200), (Target.WithPort(2), 300), (Target, 160)], sent);
        Assert.Equal(7, relay.ForwardedPackets);
        Assert.Equal(660, relay.ForwardedBytes);
        Assert.Equal(1, _drops[DropReason.Malformed]);
        Assert.Equal(1, _drops[DropReason.UnknownTarget]);
    }

    [Fact]
    public void Handle_train_beyond_the_budget_passes_as_far_as_that_goes()
    {
        RelayMachine relay = Relay(new() { Channel = new(1e3, 10 * (1200 + RelayBudgets.PacketCostBytes)) });
        ulong channel = Open(relay, Dialler, new(Target));
        relay.Handle(Instant.Zero, Dialler, Batch(channel, 40, 1200, 1200), 1200);
        Assert.True(relay.TryTransmit(Instant.Zero, _buffer, out Transmit transmit));
        Assert.Equal(10 * 1200, transmit.Bytes);
        Assert.Equal(30, _drops[DropReason.OverBudget]);
    }

    [Fact]
    public void Handle_train_longer_than_a_batch_leaves_in_several()
    {
        RelayMachine relay = Relay(RelayBudgets.Unlimited);
        ulong channel = Open(relay, Dialler, new(Target));
        relay.Handle(Instant.Zero, Dialler, Batch(channel, 128, 200, 50), 200); // as kernels since Linux 6.9 hand over
        Assert.True(relay.TryTransmit(Instant.Zero, _buffer, out Transmit first));
        Assert.True(relay.TryTransmit(Instant.Zero, _buffer, out Transmit second));
        Assert.Equal((64 * 200, (63 * 200) + 50), (first.Bytes, second.Bytes));
    }

    [Fact]
    public void Handle_forwarding_allocates_nothing()
    {
        RelayMachine relay = Relay(RelayBudgets.Unlimited);
        ulong channel = Open(relay, Dialler, new(Target));
        byte[] batch = Batch(channel, 40, 1200, 1200);
        Forward(relay, batch);

        long allocated = AllocatedBytes.LeastOf(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                Forward(relay, batch);
            }
        });

        Assert.Equal(0, allocated);
    }

    [Fact]
    public void Handle_a_hundred_greedy_channels_leave_an_honest_one_its_share()
    {
        RelayMachine relay = Relay(new() { Global = new(10e6, 2e6) });
        ulong[] greedy = [.. Enumerable.Range(0, 100).Select(i => Open(relay, GreedyAt(i), new(Target.WithPort((ushort)(i + 1)))))];
        ulong honest = Open(relay, Dialler, new(Target));
        (int honestSent, long forwarded) = (0, 0);
        for (int tick = 0; tick < 2000; tick++)
        {
            Instant now = Addresses.At(tick / 1000.0);
            for (int i = 0; i < 100; i++)
            {
                byte[] flood = Batch(greedy[(i + tick) % 100], 1, 1200, 1200);
                relay.Handle(now, GreedyAt((i + tick) % 100), flood, 1200); // 120 MB/s in all
            }

            if (tick % 20 == 0)
            {
                relay.Handle(now, Dialler, Batch(honest, 1, 1200, 1200), 1200); // 60 kB/s, its share is 99
                honestSent++;
            }

            while (relay.TryTransmit(now, _buffer, out Transmit transmit))
            {
                forwarded += transmit.Bytes;
                honestSent -= transmit.Path.Remote == Target ? transmit.Bytes / transmit.SegmentBytes : 0;
            }
        }

        Assert.Equal(0, honestSent); // each of its packets came through
        Assert.InRange(forwarded, 15e6, 22e6);
        Assert.True(_drops[DropReason.OverBudget] > 0);
    }

    [Fact]
    public void Handle_one_channel_one_device_and_one_network_are_each_held_to_their_rate()
    {
        RelayBudgets budgets = new() { Channel = new(1e5, 1e4), Registration = new(2e5, 1e4), SourceUnit = new(3e5, 1e4) };
        Assert.InRange(Throughput(budgets, _ => Dialler, _ => 0, channels: 1), 0.9e5, 1.1e5);
        Assert.InRange(Throughput(budgets, i => GreedyAt(i), _ => 0, channels: 8), 1.8e5, 2.2e5);
        Assert.InRange(Throughput(budgets, i => Dialler.WithPort((ushort)(i + 1)), i => i, channels: 8), 2.7e5, 3.3e5);
    }

    [Fact]
    public void HandleTimeout_idle_channels_close_and_used_ones_stay()
    {
        RelayMachine relay = Relay(RelayBudgets.Unlimited);
        RelayClient client = new(Target);
        ulong used = Open(relay, Dialler, client);
        _ = Open(relay, Dialler.WithPort(9), client);
        for (int second = 0; second < 120; second += 10)
        {
            relay.Handle(Addresses.At(second), Dialler, Batch(used, 1, 100, 100), 100);
            relay.HandleTimeout(Addresses.At(second));
        }

        Assert.Equal(1, relay.ChannelCount);
        relay.HandleTimeout(Addresses.At(200));
        Assert.Equal(0, relay.ChannelCount);
        Assert.Equal(Instant.Never, relay.NextDeadline);
    }

    [Fact]
    public void TryOpen_is_bounded_by_device_and_network_and_repeats_nothing()
    {
        RelayMachine relay = Relay(RelayBudgets.Unlimited);
        RelayClient client = new(Target);
        Assert.Equal(Open(relay, Dialler, client), Open(relay, Dialler, client));
        for (int i = 1; i < RelayMachine.MaxChannelsPerSourceUnit; i++)
        {
            _ = Open(relay, Dialler.WithPort((ushort)i), client);
        }

        Assert.Equal(RelayOpening.OverQuota, relay.TryOpen(Instant.Zero, Dialler.WithPort(9999), new(Target), out _));
        for (int i = RelayMachine.MaxChannelsPerSourceUnit; i < RelayMachine.MaxChannelsPerClient; i++)
        {
            _ = Open(relay, GreedyAt(i), client);
        }

        Assert.Equal(RelayOpening.OverQuota, relay.TryOpen(Instant.Zero, Addresses.Of("9.9.9.9:9"), client, out _));
        relay.CloseAll(client);
        Assert.Equal(0, relay.ChannelCount);
        _ = Open(relay, Dialler, client); // quotas were given back
    }

    [Fact]
    public void TryTransmit_order_and_bytes_survive_wrapping_interleaving_and_small_buffers()
    {
        RelayMachine relay = Relay(RelayBudgets.Unlimited);
        ulong[] channels = [.. Enumerable.Range(0, 4).Select(i => Open(relay, GreedyAt(i), new(Target.WithPort((ushort)(i + 1)))))];
        Queue<int>[] expected = [.. channels.Select(_ => new Queue<int>())];
        Random random = new(3);
        int number = 0;
        for (int round = 0; round < 3000; round++)
        {
            int side = random.Next(4);
            int segmentBytes = random.Next(20, 1500);
            int segments = random.Next(1, 40);
            byte[] batch = Batch(channels[side], segments, segmentBytes, random.Next(14, segmentBytes + 1));
            for (int i = 0; i < segments; i++)
            {
                BinaryPrimitives.WriteInt32BigEndian(batch.AsSpan((i * segmentBytes) + 10), number);
                expected[side].Enqueue(number++);
            }

            long fullBefore = _drops[DropReason.Full];
            relay.Handle(Instant.Zero, GreedyAt(side), batch, segmentBytes);
            Assert.Equal(fullBefore, _drops[DropReason.Full]);
            // Now and then something stays behind, so that the ring wraps at every possible place.
            while (random.Next(20) != 0 && relay.TryTransmit(Instant.Zero, _buffer.AsSpan(0, random.Next(1500, 65_536)), out Transmit transmit))
            {
                Check(transmit, expected);
            }
        }

        while (relay.TryTransmit(Instant.Zero, _buffer, out Transmit transmit))
        {
            Check(transmit, expected);
        }
    }

    [Fact]
    public void Handle_a_full_queue_drops_and_recovers()
    {
        RelayMachine relay = Relay(RelayBudgets.Unlimited);
        ulong channel = Open(relay, Dialler, new(Target));
        byte[] batch = Batch(channel, 40, 1200, 1200);
        for (int i = 0; i < 100; i++)
        {
            relay.Handle(Instant.Zero, Dialler, batch, 1200);
        }

        long dropped = _drops[DropReason.Full];
        Assert.InRange(dropped, 1, 4000);
        long sent = 0;
        while (relay.TryTransmit(Instant.Zero, _buffer, out Transmit transmit))
        {
            Assert.InRange(transmit.Bytes, 1, 65_507);
            sent += transmit.Bytes / 1200;
        }

        Assert.Equal(4000, sent + dropped);
        Forward(relay, batch);
        Assert.Equal(dropped, _drops[DropReason.Full]);
    }

    private static Endpoint GreedyAt(int i) => Endpoint.FromIPv4(0x0900_0001u + ((uint)i << 8), 5000);

    private static ulong Open(RelayMachine relay, Endpoint dialler, RelayClient client)
    {
        Assert.Equal(RelayOpening.Opened, relay.TryOpen(Instant.Zero, dialler, client, out ulong channel));
        return channel;
    }

    private static byte[] Batch(ulong channel, int segments, int segmentBytes, int lastBytes)
    {
        byte[] batch = new byte[((segments - 1) * segmentBytes) + lastBytes];
        for (int at = 0; at < batch.Length; at += segmentBytes)
        {
            Span<byte> datagram = batch.AsSpan(at);
            new NetworkPath(Target, channel).WriteHeader(datagram);
            if (datagram.Length > 10)
            {
                datagram[9] = 0x60;
                datagram[10] = (byte)at;
            }
        }

        return batch;
    }

    private RelayMachine Relay(RelayBudgets budgets) => new(budgets, new SeededRandom(), _drops);

    private void Forward(RelayMachine relay, byte[] batch)
    {
        relay.Handle(Instant.Zero, Dialler, batch, 1200);
        while (relay.TryTransmit(Instant.Zero, _buffer, out _))
        {
        }
    }

    private double Throughput(RelayBudgets budgets, Func<int, Endpoint> dialler, Func<int, int> device, int channels)
    {
        RelayMachine relay = Relay(budgets);
        RelayClient[] clients = [.. Enumerable.Range(0, channels).Select(i => new RelayClient(Target.WithPort((ushort)(i + 1))))];
        ulong[] ids = [.. Enumerable.Range(0, channels).Select(i => Open(relay, dialler(i), clients[device(i)]))];
        for (int tick = 0; tick < 10_000; tick++)
        {
            int i = tick % channels;
            relay.Handle(Addresses.At(tick / 1000.0), dialler(i), Batch(ids[i], 1, 1200, 1200), 1200); // 1.2 MB/s offered
            while (relay.TryTransmit(Instant.Zero, _buffer, out _))
            {
            }
        }

        return relay.ForwardedPackets * (1200.0 + RelayBudgets.PacketCostBytes) / 10;
    }

    private void Check(Transmit transmit, Queue<int>[] expected)
    {
        for (int at = 0; at < transmit.Bytes; at += transmit.SegmentBytes)
        {
            Assert.Equal(expected[transmit.Path.Remote.Port - 1].Dequeue(), BinaryPrimitives.ReadInt32BigEndian(_buffer.AsSpan(at + 10)));
        }
    }
}
