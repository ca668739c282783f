using Carrier.Core;
using Carrier.Core.Wire;
using Carrier.Dht.Lookups;
using Carrier.Dht.Records;
using Carrier.Dht.Routing;
using Carrier.Dht.Rpc;

namespace Carrier.Dht;

/// <content>Lookups and gets: the asking half.</content>
public sealed partial class DhtMachine
{
    private readonly Contact[] _closest = new Contact[RoutingTable.K];

    private Lookup NewLookup(Instant now, DhtKey target, int paths) =>
        new(now, target, paths, _size.ExpectedKDistance(RoutingTable.K));

    private bool TryStart(Instant now, DhtKey target, OperationKind kind, int paths, out DhtOperation operation)
    {
        operation = default;
        if (_operations.Count >= MaxOperations)
        {
            return false;
        }

        operation = Start(now, new Operation(++_lastOperation, kind, new Lookup(now, target, paths, regionFraction: 0)));
        return true;
    }

    private DhtOperation Start(Instant now, Operation operation)
    {
        int count = Table.ClosestToAsk(operation.Lookup.Target, _closest);
        operation.Lookup.Seed(_closest.AsSpan(0, count));
        Table.LookedUp(now, operation.Lookup.Target);
        _operations.Add(operation.Id, operation);
        if (operation.AsksForRecords && IsServing)
        {
            TakeOwnRecords(now, operation);
        }

        _nextTick = Instant.Min(_nextTick, operation.Lookup.Deadline);
        TickSoon(now);
        Advance(now, operation);
        return new DhtOperation(operation.Id);
    }

    // We may be among the nodes that keep the target, and nobody else would tell us.
    private void TakeOwnRecords(Instant now, Operation operation)
    {
        ReadOnlyMemory<byte> cursor = default;
        List<DhtRecord> own = [];
        _ = Store.TryReadPage(operation.Lookup.Target, _clock.At(now), int.MaxValue, ref cursor, own);
        foreach (DhtRecord record in own)
        {
            _ = Take(now, operation, record);
        }
    }

    /// <summary>Asks whoever is next, and ends the lookup when there is nobody left or it has enough.</summary>
    private void Advance(Instant now, Operation operation)
    {
        if (operation.LookupIsOver)
        {
            return;
        }

        while (operation.Lookup.Next() is { } candidate)
        {
            if (!TryAskCandidate(now, operation, candidate))
            {
                candidate.Owner = null; // the call table is full: tried again at the next tick
                break;
            }

            operation.Lookup.Asked(candidate);
        }

        bool enough = !operation.Thorough && operation.Kind == OperationKind.Get && operation.Lookup.Holders >= _options.ReadQuorum;
        if (enough || now >= operation.Lookup.Deadline || (operation.Lookup.HasConverged() && !WaitsForStalled(operation)))
        {
            EndLookup(now, operation);
        }
    }

    // In a small network a few lost datagrams stall everybody: nothing found yet is then no answer, and the repeated questions may bring one.
    private static bool WaitsForStalled(Operation operation)
    {
        bool hasEnough = operation.Kind == OperationKind.Get ? operation.Lookup.Holders > 0 : operation.Lookup.HasAnswers();
        return !hasEnough && operation.Lookup.AwaitsStalled();
    }

    private bool TryAskCandidate(Instant now, Operation operation, Candidate candidate)
    {
        TargetQuestion question = new() { Target = operation.Lookup.Target };
        if (candidate.Cursor is { } cursor)
        {
            question.HasCursor = true;
            question.Cursor = cursor;
        }

        CborWriter writer = new(stackalloc byte[TargetQuestion.MaxBytes]);
        question.Write(ref writer);
        DhtMethod method = operation.AsksForRecords ? DhtMethod.Get : DhtMethod.FindNode;
        bool asked = TryAsk(
            now, candidate.Contact, method, writer.Encoded, AskOptions.LargeAnswer | AskOptions.Introduce,
            new OwnCall(CallPurpose.Lookup, operation, candidate), out CallId call);
        candidate.Call = call;
        return asked;
    }

    private bool TryAsk(
        Instant now, in Contact contact, DhtMethod method, ReadOnlySpan<byte> body, AskOptions options, OwnCall own, out CallId call)
    {
        bool asked = _rpc.TryAsk(now, contact.Key, contact.Endpoint, (int)method, body, options, out call);
        if (asked)
        {
            _calls.Add(call.Value, own);
        }

        return asked;
    }

    private void DrainCalls(Instant now)
    {
        while (_rpc.TryDhtEffect(out RpcEffect effect))
        {
            TickSoon(now); // whatever it is may have changed what is due next
            if (effect.Kind == RpcEffectKind.Asked)
            {
                Answer(now, effect.Question, effect.Body.Span);
            }
            else if (_calls.TryGetValue(effect.Call.Value, out OwnCall own))
            {
                HandleCall(now, effect, own);
            }
        }
    }

    private void HandleCall(Instant now, in RpcEffect effect, in OwnCall own)
    {
        if (effect.Kind == RpcEffectKind.Stalled)
        {
            if (own.Purpose == CallPurpose.Lookup)
            {
                Lookup.Stalled(own.Candidate!);
                Advance(now, own.Operation!);
            }

            return;
        }

        _ = _calls.Remove(effect.Call.Value);
        LearnFrom(now, effect);
        switch (own.Purpose)
        {
            case CallPurpose.Lookup when !own.Operation!.LookupIsOver:
                HandleLookupAnswer(now, effect, own.Operation, own.Candidate!);
                Advance(now, own.Operation);
                break;
            case CallPurpose.Put:
                HandlePutAnswer(now, effect, own.Operation!);
                break;
            case CallPurpose.Check:
                _checks--;
                break;
            case CallPurpose.Seed:
                HandleSeedAnswer(now, effect);
                break;
        }
    }

    /// <summary>Liveness by use: every answer and every silence of a call of ours tells the table.</summary>
    private void LearnFrom(Instant now, in RpcEffect effect)
    {
        if (effect.Failure == CallFailure.TimedOut)
        {
            Table.Failed(effect.Peer, effect.Remote);
        }
        else if (effect.Failure == CallFailure.Malformed)
        {
            Ban(now, effect.Peer);
        }
        else if (effect.Serves is { } contact && !IsBanned(now, contact.Key))
        {
            _ = Table.Answered(now, contact);
        }
        else if (effect.Serves is null && effect.Kind == RpcEffectKind.Answered)
        {
            Table.Expel(effect.Peer); // it says that it no longer serves
        }
    }

    private void HandleLookupAnswer(Instant now, in RpcEffect effect, Operation operation, Candidate candidate)
    {
        TargetAnswer answer = default;
        bool isAnswer = effect.Kind == RpcEffectKind.Answered
            && effect.Serves == candidate.Contact // else its id is not what was claimed of it
            && TargetAnswer.TryParse(effect.Body.Span, out answer);
        if (!isAnswer)
        {
            Lookup.Failed(candidate);
            return;
        }

        LearnContacts(operation, candidate, answer);
        if (operation.AsksForRecords && !TakeRecords(now, operation, candidate, answer))
        {
            Ban(now, candidate.Contact.Key);
            Lookup.Failed(candidate);
            return;
        }

        candidate.WriteToken ??= answer.WriteToken;
        Lookup.Answered(candidate);
        bool hasMore = (answer.HasCursor && operation.AsksForRecords) || (answer.More && answer.ContactCount < RoutingTable.K);
        if (hasMore && ++candidate.Pages < Candidate.MaxPages)
        {
            candidate.Cursor = answer.HasCursor ? answer.Cursor.ToArray() : null;
            if (TryAskCandidate(now, operation, candidate))
            {
                operation.Lookup.Asked(candidate);
            }
        }
    }

    private void LearnContacts(Operation operation, Candidate candidate, in TargetAnswer answer)
    {
        CborReader reader = new(answer.Contacts);
        for (int i = 0; i < answer.ContactCount; i++)
        {
            if (!Contact.TryRead(ref reader, out Contact contact))
            {
                _rpc.Drops.Count(DropReason.Malformed);
                return;
            }

            if (!IsNoNearer(contact, candidate.Contact.Endpoint.Scope))
            {
                _rpc.Drops.Count(DropReason.ScopeMismatch);
            }
            else if (!HasRoute(contact))
            {
                operation.Lookup.LearnOutOfReach(contact);
            }
            else if (contact.Id != Table.Centre)
            {
                operation.Lookup.Learn(candidate, contact);
            }
        }
    }

    private bool IsUsable(in Contact contact, AddressScope learntFrom) => IsNoNearer(contact, learntFrom) && HasRoute(contact);

    /// <summary>A far node cannot name near addresses: whoever is global would send us into our own LAN.</summary>
    private static bool IsNoNearer(in Contact contact, AddressScope learntFrom) => contact.Endpoint.Scope >= learntFrom;

    private bool HasRoute(in Contact contact) =>
        (_onlyInReach is null || _onlyInReach.Contains(contact.Endpoint))
        && (contact.Endpoint.IsIPv4 ? _options.ReachesIPv4 : _options.ReachesIPv6)
        && (contact.Endpoint.Scope != AddressScope.Global || (contact.Endpoint.IsIPv4 ? _routesIPv4 : _routesIPv6));

    /// <summary>Verifies what a node returned; false when it lied.</summary>
    private bool TakeRecords(Instant now, Operation operation, Candidate candidate, in TargetAnswer answer)
    {
        CborReader reader = new(answer.Records);
        for (int i = 0; i < answer.RecordCount; i++)
        {
            if (!reader.TryReadRaw(out ReadOnlySpan<byte> encoded) || !DhtRecord.TryParse(encoded, out DhtRecord? record))
            {
                continue; // perhaps a kind of a later version
            }

            Offer offer = Take(now, operation, record);
            if (offer == Offer.Lie)
            {
                _rpc.Drops.Count(DropReason.BadSignature);
                return false;
            }

            bool isRecord = record is not RevocationRecord && offer is Offer.New or Offer.Known;
            if (isRecord && !candidate.HoldsRecords)
            {
                candidate.HoldsRecords = true;
                operation.Lookup.Holders++;
            }
        }

        return true;
    }

    private Offer Take(Instant now, Operation operation, DhtRecord record)
    {
        Offer offer = operation.Found.Add(record, _clock.At(now), operation.Publication?.Delegation);
        if (offer == Offer.New && operation.Kind == OperationKind.Get)
        {
            _effects.Enqueue(new DhtEffect(DhtEffectKind.RecordFound, new DhtOperation(operation.Id)) { Records = [record] });
        }

        return offer;
    }

    private void EndLookup(Instant now, Operation operation)
    {
        operation.LookupIsOver = true;
        List<Candidate> closest = operation.Lookup.Closest(operation.Kind == OperationKind.Put ? MaxPutNodes : RoutingTable.K);
        if (operation.Kind == OperationKind.Put)
        {
            PutAt(now, operation, closest);
            return;
        }

        if (operation.Kind == OperationKind.Refresh)
        {
            _ = _operations.Remove(operation.Id);
            EndRefresh(now, operation, closest);
            return;
        }

        operation.Closest = [.. closest.Select(static candidate => candidate.Contact)];
        bool isSettled = operation.Kind != OperationKind.Get || (!operation.Thorough && operation.Lookup.Holders >= _options.ReadQuorum);
        if (isSettled || !HandsOver(operation, closest))
        {
            FinishLookup(operation);
        }
    }

    private void FinishLookup(Operation operation)
    {
        _ = _operations.Remove(operation.Id);
        _effects.Enqueue(new DhtEffect(DhtEffectKind.LookupFinished, new DhtOperation(operation.Id))
        {
            Contacts = operation.Closest,
            Records = operation.Found.ToList(),
        });
    }
}
