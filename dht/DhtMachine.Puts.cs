using Carrier.Core;
using Carrier.Core.Wire;
using Carrier.Dht.Lookups;
using Carrier.Dht.Records;
using Carrier.Dht.Routing;
using Carrier.Dht.Rpc;

namespace Carrier.Dht;

/// <content>Puts: what the nodes found keep for us, and the publications put again and again.</content>
public sealed partial class DhtMachine
{
    /// <summary>Nodes a record is stored at, however crowded its region.</summary>
    private const int MaxPutNodes = 80;

    private readonly Dictionary<ulong, Publication> _publications = [];

    private void PublishDue(Instant now)
    {
        foreach (Publication publication in _publications.Values)
        {
            if (publication.IsRunning || now < publication.NextAt || (Table.Count == 0 && !IsServing) || _operations.Count >= MaxOperations)
            {
                continue;
            }

            publication.NextAt = now + (_options.PublishInterval * Jitter());
            publication.IsRunning = true;
            _ = Start(now, new Operation(++_lastOperation, OperationKind.Put, NewLookup(now, publication.Target, 1))
            {
                Publication = publication,
                Thorough = true,
            });
        }
    }

    /// <summary>Puts the record at every node found, with the write token each of them gave, and here when this node is one of them.</summary>
    private void PutAt(Instant now, Operation operation, List<Candidate> closest)
    {
        DhtRecord record = operation.Record ??= operation.Publication!.Sign(_clock.At(now), _options.RecordLifetime, operation.Found);
        operation.IsStoredHere = IsServing && IsAmong(closest, operation.Lookup.Target)
            && Store.Put(now, _clock.At(now), record, operation.Lookup.Target, _rpc.Serving!.Value.Endpoint, operation.ExpectedSequence) == PutOutcome.Stored;
        Span<byte> body = stackalloc byte[DhtRecord.MaxBytes + PutQuestion.MaxHeadBytes];
        foreach (Candidate candidate in closest)
        {
            if (candidate.WriteToken is not { } token)
            {
                continue;
            }

            CborWriter writer = new(body);
            PutQuestion put = new()
            {
                WriteToken = token,
                Target = record.Target == operation.Lookup.Target ? null : operation.Lookup.Target,
                Record = record.Encoded.Span,
                ExpectedSequence = operation.ExpectedSequence,
            };
            put.Write(ref writer);
            OwnCall own = new(CallPurpose.Put, operation, candidate);
            if (TryAsk(now, candidate.Contact, DhtMethod.Put, writer.Encoded, AskOptions.NoToken, own, out _))
            {
                operation.PutsPending++;
                operation.PutsAsked++;
            }
        }

        _ = HandsOver(operation, closest);
        EndPutWhenDone(now, operation);
    }

    private bool IsAmong(List<Candidate> closest, DhtKey target) =>
        closest.Count < RoutingTable.K || Table.Centre.DistanceTo(target).CompareTo(closest[^1].Distance) <= 0;

    private void HandlePutAnswer(Instant now, in RpcEffect effect, Operation operation)
    {
        operation.PutsPending--;
        CborReader reader = new(effect.Body.Span);
        int key = -1;
        if (effect.Kind == RpcEffectKind.Answered
            && reader.TryReadMap(out int pairs) && pairs > 0
            && reader.TryReadKey(ref key) && key == 0
            && reader.TryReadUInt(out ulong outcome) && outcome <= byte.MaxValue)
        {
            operation.PutsStored += outcome == (ulong)PutOutcome.Stored ? 1 : 0;
            operation.PutRefusal = outcome == (ulong)PutOutcome.Stored ? operation.PutRefusal : (PutOutcome)outcome;
        }

        EndPutWhenDone(now, operation);
    }

    private void EndPutWhenDone(Instant now, Operation operation)
    {
        if (operation.PutsPending > 0 || operation.IsHandedOver)
        {
            return;
        }

        _ = _operations.Remove(operation.Id);
        operation.Publication?.Ended(now, IsKept(operation), Jitter());
        DhtEffectKind kind = operation.Publication is null ? DhtEffectKind.PutFinished : DhtEffectKind.Published;
        _effects.Enqueue(new DhtEffect(kind, new DhtOperation(operation.Publication?.Id ?? operation.Id))
        {
            Records = [operation.Record!],
            StoredCount = operation.PutsStored + operation.PutsByProxy + (operation.IsStoredHere ? 1 : 0),
            AskedCount = operation.PutsAsked,
            Refusal = operation.PutRefusal,
        });
    }

    private static bool IsKept(Operation operation) =>
        operation.PutsByProxy > 0 || (operation.PutsStored > 0 && 2 * operation.PutsStored >= operation.PutsAsked);
}
