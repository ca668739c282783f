using Carrier.Core;
using Carrier.Dht.Lookups;
using Carrier.Dht.Records;

namespace Carrier.Dht;

/// <content>What another node does for this one, where the nodes concerned advertise a family this one has no route to.</content>
public sealed partial class DhtMachine
{
    /// <summary>Whether the node above knows nodes that look up and put for this one: gets and puts that miss nodes are then handed over by <see cref="DhtEffectKind.OutOfReach"/>.</summary>
    public bool HasProxies { get; set; }

    /// <summary>Takes in a record that a proxy found for an operation out of reach; false when it is not one, not genuine or not of its target.</summary>
    public bool TryTake(Instant now, DhtOperation handedOver, ReadOnlySpan<byte> encoded) =>
        _operations.TryGetValue(handedOver.Value, out Operation? operation) && operation.IsHandedOver
        && DhtRecord.TryParse(encoded, out DhtRecord? record)
        && Take(now, operation, record) is Offer.New or Offer.Known;

    /// <summary>Ends an operation out of reach: no proxy has more to say. Its last effect follows.</summary>
    /// <param name="now">The time.</param>
    /// <param name="handedOver">The operation.</param>
    /// <param name="stored">Nodes at which proxies stored its record.</param>
    public void Conclude(Instant now, DhtOperation handedOver, int stored)
    {
        if (!_operations.TryGetValue(handedOver.Value, out Operation? operation) || !operation.IsHandedOver)
        {
            return;
        }

        operation.IsHandedOver = false;
        operation.PutsByProxy = stored;
        if (operation.Kind == OperationKind.Put)
        {
            EndPutWhenDone(now, operation);
        }
        else
        {
            FinishLookup(operation);
        }
    }

    private bool HandsOver(Operation operation, List<Candidate> closest)
    {
        operation.IsHandedOver = HasProxies && operation.Lookup.Misses(closest);
        if (operation.IsHandedOver)
        {
            _effects.Enqueue(new DhtEffect(DhtEffectKind.OutOfReach, new DhtOperation(operation.Id))
            {
                Target = operation.Lookup.Target,
                Records = operation.Record is { } record ? [record] : [],
            });
        }

        return operation.IsHandedOver;
    }
}
