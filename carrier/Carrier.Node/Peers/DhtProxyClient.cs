using System.Diagnostics.CodeAnalysis;
using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Core.Wire;
using Carrier.Dht;
using Carrier.Dht.Rpc;
using Carrier.Node.Homes;

namespace Carrier.Node.Peers;

/// <summary>Has this device's homes look up and put for it what belongs to nodes it has no route to (docs/protocol.md §9).</summary>
/// <remarks>
/// A home can withhold but not forge: what it found is verified as any node's answer is, and one that found nothing is not the last asked. A record goes to
/// <see cref="PutHomes"/> homes, lest one be believed that stores nothing. Where no home does it, the operation ends with what the device could do itself.
/// What waits is bounded by <see cref="DhtMachine.MaxOperations"/>: each operation is here once.
/// </remarks>
internal sealed class DhtProxyClient(DhtMachine dht, HomeMachine homes, PublicKey device)
{
    /// <summary>Questions at homes at once, as many as a home takes of one device; the rest wait.</summary>
    public const int MaxAsked = 4;

    /// <summary>Homes that shall store a record.</summary>
    public const int PutHomes = 2;

    /// <summary>Records taken of one home for one lookup: more than a DHT node keeps at a target.</summary>
    public const int MaxTold = 64;

    private readonly Queue<ProxyErrand> _waiting = new();
    private int _asked;

    /// <summary>Takes over an operation of the DHT that is out of reach; it is concluded sooner or later.</summary>
    public void Begin(Instant now, DhtEffect outOfReach)
    {
        HomeContact[] registered = new HomeContact[HomeMachine.MaxHomes];
        int count = homes.CopyHomes(registered);
        AskNext(now, new ProxyErrand(outOfReach, registered.Take(count)));
    }

    /// <summary>A home to ask, for the owner of the sealed calls; it reports by <see cref="Answered"/> or <see cref="Failed"/>.</summary>
    public bool TryRequest([NotNullWhen(true)] out ProxyErrand? errand)
    {
        errand = null;
        bool any = _asked < MaxAsked && _waiting.TryDequeue(out errand);
        _asked += any ? 1 : 0;
        return any;
    }

    /// <summary>Writes the body of the question; returns its bytes.</summary>
    public int Encode(ProxyErrand errand, Span<byte> body) => errand.Encode(device, body);

    /// <summary>The home answered.</summary>
    public void Answered(Instant now, ProxyErrand errand, ReadOnlySpan<byte> body)
    {
        _asked--;
        if (errand.Record is null)
        {
            TakeRecords(now, errand, body);
        }
        else
        {
            TakeStored(now, errand, body);
        }
    }

    /// <summary>The home did not answer, or would not; one that no longer knows this device is told of it again.</summary>
    public void Failed(Instant now, ProxyErrand errand, Refusal refusal)
    {
        _asked--;
        if (refusal == Refusal.NotAuthorized)
        {
            homes.Refresh(now, errand.Home.Endpoint);
        }

        AskNext(now, errand);
    }

    private void TakeRecords(Instant now, ProxyErrand errand, ReadOnlySpan<byte> body)
    {
        if (!ProxyGetAnswer.TryParse(body, out ProxyGetAnswer answer))
        {
            AskNext(now, errand);
            return;
        }

        CborReader reader = new(answer.Records);
        for (int i = 0; i < answer.Count && reader.TryReadRaw(out ReadOnlySpan<byte> record); i++)
        {
            errand.HasFound |= dht.TryTake(now, errand.Operation, record);
        }

        errand.Told += answer.Count;
        if (answer is { HasMore: true, Count: > 0 } && errand.Told < MaxTold)
        {
            _waiting.Enqueue(errand);
        }
        else if (errand.HasFound)
        {
            dht.Conclude(now, errand.Operation, stored: 0);
        }
        else
        {
            AskNext(now, errand);
        }
    }

    private void TakeStored(Instant now, ProxyErrand errand, ReadOnlySpan<byte> body)
    {
        if (ProxyPutAnswer.TryParse(body, out ProxyPutAnswer answer) && answer.Stored > 0)
        {
            errand.Stored = (errand.Stored.Homes + 1, Math.Max(errand.Stored.Nodes, answer.Stored));
        }

        if (errand.Stored.Homes < PutHomes)
        {
            AskNext(now, errand);
        }
        else
        {
            dht.Conclude(now, errand.Operation, errand.Stored.Nodes);
        }
    }

    private void AskNext(Instant now, ProxyErrand errand)
    {
        if (errand.TryNextHome())
        {
            _waiting.Enqueue(errand);
        }
        else
        {
            dht.Conclude(now, errand.Operation, errand.Stored.Nodes);
        }
    }
}
