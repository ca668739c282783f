using Carrier.Core;

namespace Carrier.Dht.Routing;

/// <summary>A contact that answered our own question, and how it has behaved since.</summary>
internal sealed class TableEntry(Contact contact, Instant answeredAt)
{
    public Contact Contact { get; } = contact;

    public Instant AnsweredAt { get; set; } = answeredAt;

    /// <summary>Questions left unanswered since the last answer.</summary>
    public int Failures { get; set; }
}
