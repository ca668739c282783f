using System.Buffers;
using Carrier.Core;
using Carrier.Core.Wire;
using Carrier.Dht.Records;
using Carrier.Dht.Routing;

namespace Carrier.Dht;

/// <content>What survives a restart.</content>
/// <remarks>
/// <code>
/// map
/// 0  version    1
/// 1  contacts   array of contacts
/// 2  records    array of [target 20 bytes, record, source unit endpoint or false]
/// </code>
/// </remarks>
public sealed partial class DhtMachine
{
    private const ulong SnapshotVersion = 1;

    /// <summary>The table and the store as CBOR, for the shell to write to a file.</summary>
    public byte[] Snapshot()
    {
        Contact[] contacts = [.. Table.Contacts().Take(MaxRestoredContacts)];
        byte[] buffer = ArrayPool<byte>.Shared.Rent(
            64 + (contacts.Length * (Contact.MaxEncodedBytes + 2)) + Store.TotalBytes + (Store.Count * 48));
        CborWriter writer = new(buffer);
        writer.WriteMap(3);
        writer.WriteUInt(0);
        writer.WriteUInt(SnapshotVersion);
        writer.WriteUInt(1);
        writer.WriteArray(contacts.Length);
        foreach (Contact contact in contacts)
        {
            contact.Write(ref writer);
        }

        writer.WriteUInt(2);
        writer.WriteArray(Store.Count);
        Span<byte> target = stackalloc byte[DhtKey.Bytes];
        foreach ((DhtKey key, DhtRecord record, Endpoint unit) in Store.Records())
        {
            key.CopyTo(target);
            writer.WriteArray(3);
            writer.WriteBytes(target);
            writer.WriteRaw(record.Encoded.Span);
            if (unit.IsNone)
            {
                writer.WriteBool(false);
            }
            else
            {
                writer.WriteEndpoint(unit);
            }
        }

        byte[] snapshot = writer.Encoded.ToArray();
        ArrayPool<byte>.Shared.Return(buffer);
        return snapshot;
    }

    /// <summary>Takes back a snapshot. Contacts must answer again before they enter the table; expired records stay out.</summary>
    /// <returns>False when the bytes are no snapshot; what was read before the fault is kept.</returns>
    public bool TryRestore(Instant now, ReadOnlySpan<byte> snapshot)
    {
        _nextTick = now;
        CborReader reader = new(snapshot);
        int key = -1;
        return reader.TryReadMap(out int pairs) && pairs == 3
            && reader.TryReadKey(ref key) && reader.TryReadUInt(out ulong version) && version == SnapshotVersion
            && reader.TryReadKey(ref key) && TryRestoreContacts(ref reader)
            && reader.TryReadKey(ref key) && TryRestoreRecords(now, ref reader)
            && reader.AtEnd;
    }

    private bool TryRestoreContacts(ref CborReader reader)
    {
        if (!reader.TryReadArray(out int count))
        {
            return false;
        }

        for (int i = 0; i < count; i++)
        {
            if (!Contact.TryRead(ref reader, out Contact contact))
            {
                return false;
            }

            if (_restored.Count < MaxRestoredContacts)
            {
                _restored.Enqueue(contact);
            }
        }

        return true;
    }

    private bool TryRestoreRecords(Instant now, ref CborReader reader)
    {
        if (!reader.TryReadArray(out int count))
        {
            return false;
        }

        for (int i = 0; i < count; i++)
        {
            Endpoint unit = default;
            if (!reader.TryReadArray(out int items) || items != 3
                || !reader.TryReadBytes(DhtKey.Bytes, out ReadOnlySpan<byte> target)
                || !reader.TryReadRaw(out ReadOnlySpan<byte> encoded)
                || !(reader.TryReadEndpoint(out unit) || reader.TryReadBool(out _)))
            {
                return false;
            }

            if (DhtRecord.TryParse(encoded, out DhtRecord? record))
            {
                Store.Restore(_clock.At(now), record, new DhtKey(target), unit);
            }
        }

        return true;
    }
}
