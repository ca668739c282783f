using Carrier.Core;
using Carrier.Node.Homes;

namespace Carrier.Node.Relay;

/// <summary>How opening a channel went.</summary>
public enum RelayOpening
{
    Opened,
    OverQuota,
    Full,
}

/// <summary>The relay of a home: forwards between the two ends of a channel and nowhere else.</summary>
/// <remarks>
/// <code>
/// 0x42 (8) | channel id (64) | inner datagram
/// </code>
/// The id is the sender's own; the relay swaps it for the other side's. A datagram passes only if it comes from the very endpoint its side of the
/// channel is bound to, and goes only to the endpoint of the other: the registered device's, or the one its dialler proved when it asked.
/// No endpoint is ever read from a message. The inner datagram is opaque, except that it must not be relay data itself.
/// Forwarding allocates nothing: a <see cref="RelayTrain"/> is looked up and paid at once and copied into <see cref="RelayQueue"/>, from which
/// <see cref="TryTransmit"/> hands out whole batches.
/// </remarks>
public sealed class RelayMachine : IDatagramMachine
{
    /// <summary>Channels in all: about 10 MB when full.</summary>
    public const int MaxChannels = 65_536;

    /// <summary>Channels to one registered device.</summary>
    public const int MaxChannelsPerClient = 256;

    /// <summary>Channels opened from one IPv4 /24 or IPv6 /48.</summary>
    public const int MaxChannelsPerSourceUnit = 128;

    /// <summary>The longest datagram relayed, header included: an Ethernet payload. No path of a session carries more.</summary>
    public const int MaxDatagramBytes = 1500;

    private readonly RelayChannels _channels;
    private readonly RelayQueue _queue = new();
    private readonly RelayBudgets _budgets;
    private readonly EndpointBuckets _perSourceUnit;
    private readonly Quota<Endpoint> _diallers = new(MaxChannelsPerSourceUnit);
    private readonly DropCounters _drops;
    private TokenBucket _global;

    public RelayMachine(RelayBudgets budgets, RandomSource random, DropCounters drops)
    {
        ArgumentNullException.ThrowIfNull(budgets);
        _budgets = budgets;
        _drops = drops;
        _channels = new(random);
        _perSourceUnit = new(budgets.SourceUnit, random);
    }

    /// <summary>How long an unused channel stays. Also the most by which two packets of a path that should stay open may be apart.</summary>
    public static TimeSpan IdleLifetime => TimeSpan.FromSeconds(60);

    /// <summary>How often unused channels are looked for.</summary>
    public static TimeSpan SweepInterval => TimeSpan.FromSeconds(10);

    public Instant NextDeadline { get; private set; } = Instant.Never;

    public int ChannelCount => _channels.Count;

    /// <summary>Datagrams forwarded since the start.</summary>
    public long ForwardedPackets { get; private set; }

    /// <summary>Bytes forwarded since the start, relay headers included.</summary>
    public long ForwardedBytes { get; private set; }

    /// <summary>Joins a dialler, at the endpoint it proved, to a registered device; a pair that is joined already keeps its channel.</summary>
    /// <param name="channel">The id for the dialler's side.</param>
    public RelayOpening TryOpen(Instant now, Endpoint dialler, RelayClient target, out ulong channel)
    {
        ArgumentNullException.ThrowIfNull(target);
        channel = 0;
        foreach (int known in target.Channels ?? [])
        {
            if (_channels[known].Dialler == dialler)
            {
                channel = _channels[known].DiallerId;
                return RelayOpening.Opened;
            }
        }

        if (_channels.Count == MaxChannels)
        {
            return RelayOpening.Full;
        }

        if (target.Channels?.Count >= MaxChannelsPerClient || !_diallers.TryTake(dialler.SourceUnit))
        {
            return RelayOpening.OverQuota;
        }

        int index = _channels.Add(dialler, target, now);
        channel = _channels[index].DiallerId;
        NextDeadline = Instant.Min(NextDeadline, now + SweepInterval);
        return RelayOpening.Opened;
    }

    /// <summary>Forwards the datagram that came inside a sealed question rather than in relay data: the first of a channel.</summary>
    public void Introduce(Instant now, Endpoint dialler, ulong channel, ReadOnlySpan<byte> inner)
    {
        Span<byte> datagram = stackalloc byte[NetworkPath.RelayHeaderBytes + ConnectQuestion.MaxFirstBytes];
        new NetworkPath(dialler, channel).WriteHeader(datagram);
        inner.CopyTo(datagram[NetworkPath.RelayHeaderBytes..]);
        int bytes = NetworkPath.RelayHeaderBytes + inner.Length;
        Handle(now, dialler, datagram[..bytes], bytes);
    }

    /// <summary>Closes every channel of a device whose registration ended.</summary>
    public void CloseAll(RelayClient client)
    {
        ArgumentNullException.ThrowIfNull(client);
        while (client.Channels is { Count: > 0 } channels)
        {
            Close(channels[^1]);
        }
    }

    public void Handle(Instant now, Endpoint remote, Span<byte> datagrams, int segmentBytes, EcnCodepoint ecn = EcnCodepoint.NotCapable)
    {
        for (int offset = 0; offset < datagrams.Length;)
        {
            var train = RelayTrain.FirstOf(datagrams[offset..], segmentBytes);
            offset += train.Datagrams.Length;
            if (train.IsSound)
            {
                Forward(now, remote, train);
            }
            else
            {
                Drop(DropReason.Malformed, train);
            }
        }
    }

    public void HandleTimeout(Instant now)
    {
        if (now < NextDeadline)
        {
            return;
        }

        for (int i = 0; i < _channels.Slots; i++)
        {
            if (_channels[i].IsOpen && now - _channels[i].LastUsed >= IdleLifetime)
            {
                Close(i);
            }
        }

        NextDeadline = _channels.Count == 0 ? Instant.Never : now + SweepInterval;
    }

    /// <summary>Hands out the oldest batch. The buffer should hold <see cref="RelayQueue.MaxBatchBytes"/>, and must hold <see cref="MaxDatagramBytes"/>.
    /// The relay headers are in it already, so the path names no channel.</summary>
    public bool TryTransmit(Instant now, Span<byte> buffer, out Transmit transmit) => _queue.TryTake(buffer, out transmit);

    private void Forward(Instant now, Endpoint remote, RelayTrain train)
    {
        if (!_channels.TryFind(train.Channel, out int index, out bool fromDialler))
        {
            Drop(DropReason.UnknownTarget, train);
            return;
        }

        ref RelayChannel channel = ref _channels[index];
        RelayClient target = channel.Target!;
        if (remote != (fromDialler ? channel.Dialler : target.Endpoint))
        {
            Drop(DropReason.NotAuthorized, train);
            return;
        }

        if (TrySpend(now, remote.SourceUnit, ref channel, target, CostOf(train)))
        {
            Queue(now, ref channel, fromDialler, train);
            return;
        }

        for (int i = 0; i < train.Count; i++)
        {
            if (TrySpend(now, remote.SourceUnit, ref channel, target, CostOf(train[i])))
            {
                Queue(now, ref channel, fromDialler, train[i]);
            }
            else
            {
                _drops.Count(DropReason.OverBudget);
            }
        }
    }

    private static int CostOf(RelayTrain train) => train.Datagrams.Length + (train.Count * RelayBudgets.PacketCostBytes);

    private void Queue(Instant now, ref RelayChannel channel, bool fromDialler, RelayTrain train)
    {
        (Endpoint destination, ulong id) = fromDialler ? (channel.Target!.Endpoint, channel.TargetId) : (channel.Dialler, channel.DiallerId);
        if (_queue.TryAdd(destination, id, train))
        {
            channel.LastUsed = now;
            ForwardedPackets += train.Count;
            ForwardedBytes += train.Datagrams.Length;
        }
        else if (train.Count == 1)
        {
            _drops.Count(DropReason.Full);
        }
        else
        {
            for (int i = 0; i < train.Count; i++)
            {
                Queue(now, ref channel, fromDialler, train[i]);
            }
        }
    }

    private void Drop(DropReason reason, RelayTrain train)
    {
        for (int i = 0; i < train.Count; i++)
        {
            _drops.Count(reason);
        }
    }

    // Fairness under pressure: what a channel sends within its equal share of the whole may empty the global bucket, what it sends beyond
    // may only use the upper half. Greedy channels then hold the bucket at half, and a modest one always finds room.
    private bool TrySpend(Instant now, Endpoint sourceUnit, ref RelayChannel channel, RelayClient target, int cost)
    {
        TokenRate share = new(_budgets.Global.PerSecond / _channels.Count, Math.Max(_budgets.Global.Burst / 2 / _channels.Count, 2 * MaxDatagramBytes));
        if (!channel.Budget.CanSpend(now, _budgets.Channel, cost)
            || !target.Budget.CanSpend(now, _budgets.Registration, cost)
            || !_perSourceUnit.CanSpend(now, sourceUnit, cost))
        {
            return false;
        }

        bool isWithinShare = channel.FairShare.CanSpend(now, share, cost);
        if (!_global.CanSpend(now, _budgets.Global, cost, reserve: isWithinShare ? 0 : _budgets.Global.Burst / 2))
        {
            return false;
        }

        if (isWithinShare)
        {
            channel.FairShare.Spend(now, share, cost);
        }

        channel.Budget.Spend(now, _budgets.Channel, cost);
        target.Budget.Spend(now, _budgets.Registration, cost);
        _perSourceUnit.Spend(now, sourceUnit, cost);
        _global.Spend(now, _budgets.Global, cost);
        return true;
    }

    private void Close(int index)
    {
        _diallers.Release(_channels[index].Dialler.SourceUnit);
        _channels.Remove(index);
    }
}
