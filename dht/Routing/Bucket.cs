using Carrier.Core;

namespace Carrier.Dht.Routing;

/// <summary>One k-bucket (Maymounkov 2002 §2.2) with its replacement cache (§4.1): live entries stay, failing ones are replaced.</summary>
internal sealed class Bucket
{
    private readonly List<TableEntry> _entries = new(RoutingTable.K);
    private readonly List<TableEntry> _replacements = [];

    public List<TableEntry> Entries => _entries;

    /// <summary>When a lookup last went through this part of the key space; null for never, which makes joining visit every bucket.</summary>
    public Instant? LookedUpAt { get; set; }

    public int CountOfUnit(Endpoint unit)
    {
        int count = 0;
        foreach (TableEntry entry in _entries)
        {
            count += entry.Contact.Endpoint.SourceUnit == unit ? 1 : 0;
        }

        return count;
    }

    /// <summary>The entry that has failed most, if any has failed often enough to give its place away.</summary>
    public TableEntry? Worst()
    {
        TableEntry? worst = null;
        foreach (TableEntry entry in _entries)
        {
            if (entry.Failures >= RoutingTable.FailuresToReplace && (worst is null || entry.Failures > worst.Failures))
            {
                worst = entry;
            }
        }

        return worst;
    }

    /// <summary>Remembers a spare, the latest last; the oldest goes when there are k.</summary>
    public void AddReplacement(TableEntry entry)
    {
        _ = RemoveReplacement(entry.Contact);
        if (_replacements.Count == RoutingTable.K)
        {
            _replacements.RemoveAt(0);
        }

        _replacements.Add(entry);
    }

    public bool RemoveReplacement(in Contact contact)
    {
        for (int i = 0; i < _replacements.Count; i++)
        {
            if (_replacements[i].Contact.Key == contact.Key)
            {
                _replacements.RemoveAt(i);
                return true;
            }
        }

        return false;
    }

    /// <summary>Takes the spare heard from last.</summary>
    public bool TryTakeReplacement(out TableEntry entry)
    {
        if (_replacements.Count == 0)
        {
            entry = null!;
            return false;
        }

        entry = _replacements[^1];
        _replacements.RemoveAt(_replacements.Count - 1);
        return true;
    }
}
