using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Identity;
using Carrier.Dht.Lookups;
using Carrier.Dht.Records;
using Carrier.Dht.Routing;
using Carrier.Dht.Rpc;

namespace Carrier.Dht;

/// <summary>One node's part in the DHT: routing table, lookups, record store and own publications over an <see cref="RpcMachine"/>.</summary>
/// <remarks>
/// A client only asks; after <see cref="Serve"/> it also answers, stores and enters the tables of others. It drives the
/// <see cref="RpcMachine"/> it was given: bytes, timeouts and transmits go through here, while calls and effects of the node's own methods
/// stay with that machine. Pure and single-threaded.
/// </remarks>
public sealed partial class DhtMachine
{
    /// <summary>Operations of the application at once; <see cref="Lookup.Alpha"/> calls each.</summary>
    public const int MaxOperations = 256;

    private readonly RpcMachine _rpc;
    private readonly DhtOptions _options;
    private readonly RandomSource _random;
    private readonly NetworkSize _size = new();
    private readonly Dictionary<ulong, Operation> _operations = [];
    private readonly Dictionary<ulong, OwnCall> _calls = [];
    private readonly Queue<DhtEffect> _effects = [];
    private WallClock _clock;
    private ulong _lastOperation;

    /// <param name="rpc">The node's calls; from now on driven through this machine.</param>
    /// <param name="options">How to take part.</param>
    /// <param name="clock">Wall-clock time, for expiries.</param>
    /// <param name="now">The time.</param>
    public DhtMachine(RpcMachine rpc, DhtOptions options, WallClock clock, Instant now)
    {
        ArgumentNullException.ThrowIfNull(rpc);
        ArgumentNullException.ThrowIfNull(options);
        _rpc = rpc;
        _options = options;
        _random = rpc.Random;
        _clock = clock;
        _nextTick = now;
        Table = new RoutingTable(DhtKey.Random(_random));
        Store = new RecordStore(Table.Centre);
    }

    public RoutingTable Table { get; private set; }

    public RecordStore Store { get; private set; }

    public bool IsServing => _rpc.Serving is not null;

    /// <summary>How many nodes are thought to serve; zero while unknown.</summary>
    public double EstimatedNetworkSize => _size.Nodes;

    /// <summary>Expiries follow this; set a new one when the wall clock steps.</summary>
    public WallClock Clock
    {
        get => _clock;
        set => _clock = value;
    }

    public Instant NextDeadline => Instant.Min(_rpc.NextDeadline, _nextTick);

    /// <summary>Begins to serve at an address others can reach; our place in the key space follows from it, so the table is built anew.</summary>
    /// <param name="now">The time.</param>
    /// <param name="transportKey">The public half of the key questions to us are sealed to.</param>
    /// <param name="address">Our public endpoint.</param>
    public void Serve(Instant now, in PublicKey transportKey, Endpoint address)
    {
        Contact self = new(transportKey, (byte)_random.NextInt32(NodeId.MaxChoice + 1), address);
        if (_rpc.Serving is { } before && before.Endpoint == address && before.Key == transportKey)
        {
            return;
        }

        _rpc.Serving = self;
        Recentre(now, self.Id);
    }

    /// <summary>Only asks from now on.</summary>
    public void StopServing() => _rpc.Serving = null;

    public void Handle(Instant now, Endpoint remote, Span<byte> datagram)
    {
        _rpc.Handle(now, remote, datagram);
        DrainCalls(now);
    }

    public void HandleTimeout(Instant now)
    {
        _rpc.HandleTimeout(now);
        DrainCalls(now);
        if (now >= _nextTick)
        {
            Tick(now);
        }
    }

    public bool TryTransmit(Instant now, Span<byte> buffer, out Transmit transmit) => _rpc.TryTransmit(now, buffer, out transmit);

    public bool TryEffect([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out DhtEffect? effect) => _effects.TryDequeue(out effect);

    /// <summary>Looks for the k serving nodes closest to a target. Like all operations false when <see cref="MaxOperations"/> run.</summary>
    public bool TryFindNode(Instant now, DhtKey target, out DhtOperation operation) =>
        TryStart(now, target, OperationKind.FindNode, 1, out operation);

    /// <summary>Looks for the records at a target. Each genuine one is told as it is found.</summary>
    /// <param name="now">The time.</param>
    /// <param name="target">Where to look.</param>
    /// <param name="thorough">Ask all closest nodes, for the very latest of every device, not only a quorum.</param>
    /// <param name="operation">Names it in its effects.</param>
    public bool TryGet(Instant now, DhtKey target, bool thorough, out DhtOperation operation)
    {
        operation = default;
        if (_operations.Count >= MaxOperations)
        {
            return false;
        }

        Lookup lookup = NewLookup(now, target, _options.ReadPaths);
        operation = Start(now, new Operation(++_lastOperation, OperationKind.Get, lookup) { Thorough = thorough });
        return true;
    }

    /// <summary>Stores a record once with every node of its region.</summary>
    /// <param name="now">The time.</param>
    /// <param name="record">Ready signed.</param>
    /// <param name="expectedSequence">Compare and swap: the sequence the stored record must have, zero for none; null for any lower one.</param>
    /// <param name="operation">Names it in its effect.</param>
    /// <param name="at">For a revocation, another target of its owner; null for the record's own.</param>
    public bool TryPut(Instant now, DhtRecord record, ulong? expectedSequence, out DhtOperation operation, DhtKey? at = null)
    {
        ArgumentNullException.ThrowIfNull(record);
        operation = default;
        if (_operations.Count >= MaxOperations)
        {
            return false;
        }

        operation = Start(now, new Operation(++_lastOperation, OperationKind.Put, NewLookup(now, at ?? record.Target, 1))
        {
            Record = record,
            ExpectedSequence = expectedSequence,
            Thorough = true,
        });
        return true;
    }

    /// <summary>Keeps a signed value alive in the DHT: signs and puts it now, after every change and every publish interval.</summary>
    /// <remarks>The keys stay the caller's and must outlive the publication.</remarks>
    public DhtOperation Publish(Instant now, DeviceKeys device, Delegation delegation, ReadOnlySpan<byte> salt, ReadOnlySpan<byte> value)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(value.Length, SignedRecord.MaxValueBytes, nameof(value));
        return AddPublication(new Publication(++_lastOperation, device, delegation, salt) { Value = value.ToArray(), NextAt = now });
    }

    /// <summary>Keeps an immutable record or a revocation alive in the DHT.</summary>
    public DhtOperation Publish(Instant now, DhtRecord record) => AddPublication(new Publication(++_lastOperation, record) { NextAt = now });

    /// <summary>Changes what a publication says and puts it at once. False when there is no such publication.</summary>
    public bool TryUpdate(Instant now, DhtOperation publication, ReadOnlySpan<byte> value)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(value.Length, SignedRecord.MaxValueBytes, nameof(value));
        if (!_publications.TryGetValue(publication.Value, out Publication? found))
        {
            return false;
        }

        found.Value = value.ToArray();
        found.NextAt = now;
        _nextTick = Instant.Min(_nextTick, now);
        return true;
    }

    /// <summary>Lets a publication expire.</summary>
    public void Withdraw(DhtOperation publication) => _publications.Remove(publication.Value);

    private DhtOperation AddPublication(Publication publication)
    {
        _publications.Add(publication.Id, publication);
        _nextTick = Instant.Min(_nextTick, publication.NextAt);
        return new DhtOperation(publication.Id);
    }

    private void Recentre(Instant now, DhtKey centre)
    {
        RoutingTable oldTable = Table;
        RecordStore oldStore = Store;
        Table = new RoutingTable(centre);
        Store = new RecordStore(centre);
        foreach (Contact contact in oldTable.Contacts().Where(contact => IsUsable(contact, AddressScope.Loopback)))
        {
            _ = Table.Answered(now, contact);
        }

        foreach ((DhtKey target, DhtRecord record, Endpoint unit) in oldStore.Records())
        {
            Store.Restore(_clock.At(now), record, target, unit);
        }

        _hasJoined = false;
        _nextTick = now;
    }

    private enum CallPurpose
    {
        Lookup,
        Put,

        /// <summary>Is it there, and may it enter the table?</summary>
        Check,

        /// <summary>A seed's first answer brings the first contacts.</summary>
        Seed,
    }

    private readonly record struct OwnCall(CallPurpose Purpose, Operation? Operation, Candidate? Candidate);
}
