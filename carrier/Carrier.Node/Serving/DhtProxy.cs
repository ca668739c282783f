using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Dht;
using Carrier.Dht.Records;
using Carrier.Dht.Routing;
using Carrier.Dht.Rpc;
using Carrier.Node.Addresses;
using Carrier.Node.Handshakes;
using Carrier.Node.Homes;

namespace Carrier.Node.Serving;

/// <summary>Looks up and puts in the DHT for devices registered here that lack a family, or reach only whom they have tunnels to (docs/protocol.md §9).</summary>
/// <remarks>
/// Only for a device whose lack is not this node's own, that asks from where it is registered, and within the bounds of <see cref="HomeLimits"/>.
/// A question waits without an answer until its lookup or put is over; repeated meanwhile it replaces the one waiting, repeated later it is answered
/// from what is kept for <see cref="KeptFor"/>. A put is one put: the device asks again before its record expires.
/// </remarks>
internal sealed class DhtProxy(
    DhtMachine dht, RpcMachine rpc, HomeServer homes, LocalAddresses addresses, IReadOnlySet<Endpoint> tunnelled, SerialFloors floors, HomeLimits limits, RandomSource random, DropCounters drops)
{
    /// <summary>Results kept for questions repeated and pages to come; the oldest gives way. At worst 45 KB each.</summary>
    public const int MaxKept = 128;

    private readonly Dictionary<ErrandName, Errand> _errands = [];
    private readonly Dictionary<DhtOperation, Errand> _underWay = [];
    private readonly Queue<Errand> _kept = new();
    private readonly ReplayCache _begun = new(drops);
    private readonly EndpointBuckets _perSourceUnit = new(limits.ProxiedPerSourceUnit, random);
    private readonly byte[] _answer = new byte[SealedMessages.MaxDatagramBytes];
    private TokenBucket _rate;

    public static TimeSpan KeptFor => TimeSpan.FromSeconds(10);

    public Instant NextDeadline => _kept.TryPeek(out Errand? oldest) ? oldest.KeptUntil : Instant.Never;

    /// <summary>Takes a question of a proven address: it is refused at once, or answered when what it asks for is done.</summary>
    public void Answer(Instant now, UnixTime wall, in Question question, ReadOnlySpan<byte> body)
    {
        bool reachesMore = tunnelled.Contains(question.Remote) || addresses.HasRoute(isIPv4: !question.Remote.IsIPv4);
        Refusal refusal = !reachesMore ? Refusal.NotServing
            : question.Method == (int)HomeMethod.ProxyGet ? Get(now, question, body)
            : Put(now, wall, question, body);
        if (refusal != Refusal.None)
        {
            _ = rpc.Refuse(now, question, refusal);
        }
    }

    /// <summary>Takes what came of a lookup or put begun here; false when it is another's.</summary>
    public bool TryTake(Instant now, DhtEffect effect)
    {
        if (!_underWay.TryGetValue(effect.Operation, out Errand? errand))
        {
            return false;
        }

        if (effect.Kind is DhtEffectKind.LookupFinished or DhtEffectKind.PutFinished)
        {
            _ = _underWay.Remove(effect.Operation);
            errand.Device.ProxiedUnderWay--;
            errand.Outcome = effect;
            errand.KeptUntil = now + KeptFor;
            if (_kept.Count == MaxKept)
            {
                Forget();
            }

            _kept.Enqueue(errand);
            Reply(now, errand);
        }

        return true;
    }

    public void HandleTimeout(Instant now)
    {
        while (NextDeadline <= now)
        {
            Forget();
        }
    }

    private Refusal Get(Instant now, in Question question, ReadOnlySpan<byte> body)
    {
        if (!ProxyGetQuestion.TryParse(body, out ProxyGetQuestion asked))
        {
            return Counted(DropReason.Malformed, Refusal.Malformed);
        }

        if (!homes.TryFind(now, asked.Device, question.Remote, out Registration? device))
        {
            return Counted(DropReason.NotAuthorized, Refusal.NotAuthorized);
        }

        ErrandName name = new(asked.Device, asked.Target, Sequence: null);
        if (!_errands.TryGetValue(name, out Errand? errand))
        {
            if (!TrySpend(now, device, question) || !dht.TryGet(now, asked.Target, thorough: true, out DhtOperation operation))
            {
                return Counted(DropReason.RateLimited, Refusal.Busy);
            }

            errand = Begin(name, device, operation);
        }

        Wait(now, errand, question, asked.Skip);
        return Refusal.None;
    }

    private Refusal Put(Instant now, UnixTime wall, in Question question, ReadOnlySpan<byte> body)
    {
        if (!ProxyPutQuestion.TryParse(body, out ProxyPutQuestion asked) || !DhtRecord.TryParse(asked.Record, out DhtRecord? parsed) || parsed is not SignedRecord record)
        {
            return Counted(DropReason.Malformed, Refusal.Malformed);
        }

        if (!homes.TryFind(now, record.Delegation.ExchangeKey, question.Remote, out Registration? device))
        {
            return Counted(DropReason.NotAuthorized, Refusal.NotAuthorized);
        }

        ErrandName name = new(device.Device.ExchangeKey, record.Target, record.Sequence);
        if (!_errands.TryGetValue(name, out Errand? errand))
        {
            if (!TrySpend(now, device, question))
            {
                return Counted(DropReason.RateLimited, Refusal.Busy);
            }

            if (record.Verify(wall, floors.Of(record.Owner)) != RecordVerdict.Valid)
            {
                return Counted(DropReason.BadSignature, Refusal.NotAuthorized);
            }

            if (!dht.TryPut(now, record, expectedSequence: null, out DhtOperation operation))
            {
                return Counted(DropReason.RateLimited, Refusal.Busy);
            }

            errand = Begin(name, device, operation);
        }

        Wait(now, errand, question, skip: 0);
        return Refusal.None;
    }

    // A question repeated is answered by what it began. When that is forgotten it is a replay, and spends nothing.
    private bool TrySpend(Instant now, Registration device, in Question question)
    {
        if (!_begun.TryAdd(now, question.Remote, question.Asker, question.CallId))
        {
            return false;
        }

        Endpoint unit = device.Client.Endpoint.SourceUnit;
        bool can = _underWay.Count < limits.MaxProxied && device.ProxiedUnderWay < limits.MaxProxiedOfDevice
            && device.Proxied.CanSpend(now, limits.ProxiedPerDevice, cost: 1) && _perSourceUnit.CanSpend(now, unit) && _rate.TrySpend(now, limits.Proxied);
        if (can)
        {
            device.Proxied.Spend(now, limits.ProxiedPerDevice, cost: 1);
            _perSourceUnit.Spend(now, unit);
        }

        return can;
    }

    private Errand Begin(in ErrandName name, Registration device, DhtOperation operation)
    {
        Errand errand = new(name, device);
        device.ProxiedUnderWay++;
        _errands.Add(name, errand);
        _underWay.Add(operation, errand);
        return errand;
    }

    private void Wait(Instant now, Errand errand, in Question question, byte skip)
    {
        (errand.Waiting, errand.Skip) = (question, skip);
        if (errand.Outcome is not null)
        {
            Reply(now, errand);
        }
    }

    private void Reply(Instant now, Errand errand)
    {
        Question question = errand.Waiting!.Value;
        errand.Waiting = null;
        DhtEffect outcome = errand.Outcome!;
        int bytes = question.Method == (int)HomeMethod.ProxyGet
            ? ProxyGetAnswer.Encode(outcome.Records, errand.Skip, _answer.AsSpan(0, Math.Min(_answer.Length, RpcMachine.AnswerRoomBytes(question))))
            : new ProxyPutAnswer((byte)Math.Min(outcome.StoredCount, byte.MaxValue)).Encode(_answer);
        _ = rpc.Answer(now, question, _answer.AsSpan(0, bytes));
    }

    private void Forget() => _ = _errands.Remove(_kept.Dequeue().Name);

    private Refusal Counted(DropReason reason, Refusal refusal)
    {
        drops.Count(reason);
        return refusal;
    }

    /// <summary>What tells a question repeated from another one: a put has a sequence, a get none.</summary>
    private readonly record struct ErrandName(PublicKey Device, DhtKey Target, ulong? Sequence);

    private sealed class Errand(in ErrandName name, Registration device)
    {
        public ErrandName Name { get; } = name;

        public Registration Device { get; } = device;

        /// <summary>Null while the lookup or put is under way.</summary>
        public DhtEffect? Outcome { get; set; }

        public Instant KeptUntil { get; set; }

        /// <summary>The question to answer; null once it is.</summary>
        public Question? Waiting { get; set; }

        public byte Skip { get; set; }
    }
}
