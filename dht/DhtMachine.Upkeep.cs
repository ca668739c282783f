using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Wire;
using Carrier.Dht.Lookups;
using Carrier.Dht.Routing;
using Carrier.Dht.Rpc;

namespace Carrier.Dht;

/// <content>What happens by the clock: joining, pings, refreshes, expiry.</content>
public sealed partial class DhtMachine
{
    /// <summary>Seeds kept; more are refused.</summary>
    public const int MaxSeeds = 64;

    /// <summary>Contacts under check at once: introduced by themselves, or restored from a file.</summary>
    public const int MaxChecks = 32;

    /// <summary>Restored contacts waiting for their check.</summary>
    public const int MaxRestoredContacts = 512;

    /// <summary>Proven liars remembered.</summary>
    public const int MaxBanned = 1_024;

    public static readonly TimeSpan BanDuration = TimeSpan.FromMinutes(10);

    private static readonly TimeSpan TickInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ExpireInterval = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan MinSeedInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MaxSeedInterval = TimeSpan.FromMinutes(1);

    private readonly List<(PublicKey Key, Endpoint Endpoint)> _seeds = [];
    private bool _routesIPv4 = true;
    private bool _routesIPv6 = true;
    private HashSet<Endpoint>? _onlyInReach;
    private readonly Queue<Contact> _restored = [];
    private readonly LruTable<PublicKey, Instant> _bannedUntil = new(MaxBanned);
    private Instant _nextTick;
    private Instant _nextPing;
    private Instant _nextExpiry;
    private Instant _nextSeeding;
    private TimeSpan _seedInterval = MinSeedInterval;
    private bool _hasJoined;
    private bool _isRefreshing;
    private int _checks;

    private TableUpkeep Upkeep => IsServing ? _options.ServingUpkeep : _options.ClientUpkeep;

    /// <summary>Adds a node to begin with, known by key and address. False when there are too many.</summary>
    public bool TryAddSeed(Instant now, in PublicKey key, Endpoint endpoint)
    {
        if (_seeds.Count >= MaxSeeds || endpoint.Port == 0 || endpoint.Scope == AddressScope.Unusable)
        {
            return false;
        }

        _seeds.Add((key, endpoint));
        _nextSeeding = now;
        _nextTick = now;
        return true;
    }

    /// <summary>Tells which families lead to the network from where this device is now: nodes of the other are not asked. Where one was lost a client's table is made anew, from the seeds.</summary>
    public void SetRoutes(Instant now, bool ipv4, bool ipv6)
    {
        bool changed = (_routesIPv4, _routesIPv6) != (ipv4, ipv6);
        (_routesIPv4, _routesIPv6) = (ipv4, ipv6);
        if (changed)
        {
            ForgetOutOfReach(now);
            AskSeedsAgain(now);
        }
    }

    /// <summary>Tells the only endpoints in reach, of any family, where the network carries nothing else; null where it does. A client's table is made anew of what is left.</summary>
    public void ReachOnly(Instant now, IEnumerable<Endpoint>? endpoints)
    {
        _onlyInReach = endpoints?.ToHashSet();
        ForgetOutOfReach(now);
        AskSeedsAgain(now);
    }

    /// <summary>The seeds may be in reach now though they were not: asks them again if nobody else is known.</summary>
    public void AskSeedsAgain(Instant now) => _nextSeeding = _nextTick = now;

    private void Tick(Instant now)
    {
        Operation[] running = [.. _operations.Values];
        foreach (Operation operation in running)
        {
            Advance(now, operation);
        }

        if (Table.Count == 0 && now >= _nextSeeding)
        {
            AskSeeds(now);
        }

        while (_checks < MaxChecks && _restored.TryDequeue(out Contact contact))
        {
            Check(now, contact);
        }

        if (now >= _nextPing && Table.TryFindSilent(now, Upkeep.SilenceBeforePing, out Contact silent))
        {
            _nextPing = now + Upkeep.PingInterval;
            Ping(now, silent);
        }

        Refresh(now);
        PublishDue(now);
        if (now >= _nextExpiry)
        {
            _nextExpiry = now + ExpireInterval;
            Store.Expire(_clock.At(now));
        }

        _nextTick = Instant.Max(now + TickInterval, NextTask());
    }

    /// <summary>When something is next due by the clock, as things stand; what comes in by the network brings the next tick forward.</summary>
    private Instant NextTask()
    {
        if (_operations.Count > 0 || _restored.Count > 0 || (Table.Count > 0 && !_hasJoined))
        {
            return Instant.Zero;
        }

        Instant next = Store.Count > 0 ? _nextExpiry : Instant.Never;
        if (Table.Count > 0)
        {
            next = Instant.Min(next, Instant.Max(_nextPing, Table.SilentAt(Upkeep.SilenceBeforePing)));
            next = Instant.Min(next, Table.StaleAt(Upkeep.RefreshInterval));
        }
        else if (_seeds.Count > 0)
        {
            next = Instant.Min(next, _nextSeeding);
        }

        foreach (Publication publication in _publications.Values)
        {
            next = Table.Count > 0 || IsServing ? Instant.Min(next, publication.NextAt) : next;
        }

        return next;
    }

    private void ForgetOutOfReach(Instant now)
    {
        if (!IsServing && Table.Contacts().Any(contact => !HasRoute(contact)))
        {
            Recentre(now, Table.Centre);
        }
    }

    private void TickSoon(Instant now) => _nextTick = Instant.Min(_nextTick, now + TickInterval);

    private void AskSeeds(Instant now)
    {
        _nextSeeding = now + _seedInterval;
        _seedInterval = _seedInterval * 2 < MaxSeedInterval ? _seedInterval * 2 : MaxSeedInterval;
        CborWriter writer = new(stackalloc byte[TargetQuestion.MaxBytes]);
        new TargetQuestion { Target = Table.Centre }.Write(ref writer);
        foreach ((PublicKey key, Endpoint endpoint) in _seeds)
        {
            const AskOptions Options = AskOptions.LargeAnswer | AskOptions.Introduce;
            if (_rpc.TryAsk(now, key, endpoint, (int)DhtMethod.FindNode, writer.Encoded, Options, out CallId call))
            {
                _calls.Add(call.Value, new OwnCall(CallPurpose.Seed, null, null));
            }
        }
    }

    private void HandleSeedAnswer(Instant now, in RpcEffect effect)
    {
        if (effect.Kind == RpcEffectKind.Answered && effect.Serves is not null)
        {
            _seedInterval = MinSeedInterval;
            Refresh(now);
        }
    }

    /// <summary>One refresh at a time: our own place until we have joined, then whichever bucket has waited too long.</summary>
    private void Refresh(Instant now)
    {
        if (_isRefreshing || Table.Count == 0)
        {
            return;
        }

        DhtKey target = Table.Centre;
        if ((!_hasJoined || Table.TryTakeStale(now, Upkeep.RefreshInterval, _random, out target))
            && TryStart(now, target, OperationKind.Refresh, 1, out DhtOperation operation))
        {
            _isRefreshing = _operations.ContainsKey(operation.Value);
        }
    }

    /// <remarks>
    /// The lookup's own questions came from an address not yet proven, so nobody took up their introduction; a ping with the token
    /// each answer brought makes us known where we belong.
    /// </remarks>
    private void EndRefresh(Instant now, Operation operation, List<Candidate> closest)
    {
        _isRefreshing = false;
        foreach (Candidate candidate in IsServing ? closest : [])
        {
            Ping(now, candidate.Contact);
        }

        Span<double> fractions = stackalloc double[RoutingTable.K];
        int count = Math.Min(closest.Count, fractions.Length);
        for (int i = 0; i < count; i++)
        {
            fractions[i] = closest[i].Distance.Fraction;
        }

        _size.Learn(fractions[..count]);
        if (!_hasJoined && count > 0 && operation.Lookup.Target == Table.Centre)
        {
            _hasJoined = true;
            _effects.Enqueue(new DhtEffect(DhtEffectKind.Joined, default));
        }
    }

    /// <summary>Asks a contact that somebody claims to be there; if it answers, the table learns of it.</summary>
    private void Check(Instant now, in Contact contact)
    {
        if (_checks < MaxChecks
            && !Table.Contains(contact.Key)
            && !IsBanned(now, contact.Key)
            && IsUsable(contact, AddressScope.Loopback)
            && contact.Id != Table.Centre)
        {
            Ping(now, contact);
        }
    }

    private void Ping(Instant now, in Contact contact)
    {
        if (TryAsk(now, contact, DhtMethod.Ping, [0xA0], AskOptions.Introduce, new OwnCall(CallPurpose.Check, null, null), out _))
        {
            _checks++;
        }
    }

    private bool IsBanned(Instant now, in PublicKey key) => _bannedUntil.TryGet(key, out Instant until) && now < until;

    /// <summary>Only for what a node was proven to do: it answered our own question, sealed with its own key.</summary>
    private void Ban(Instant now, in PublicKey key)
    {
        Table.Expel(key);
        _bannedUntil.GetOrAdd(key, out _) = now + BanDuration;
    }

    // A tenth either way: those that started together drift apart.
    private double Jitter() => 0.9 + (0.2 * _random.NextFraction());
}
