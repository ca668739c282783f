using System.Buffers;
using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Core.Wire;
using Carrier.Node.Homes;

namespace Carrier.Node.Peers;

/// <summary>Devices met before, so that a dial can begin before the network answers, or when it does not answer at all.</summary>
/// <remarks>The snapshot is CBOR: <c>{ 1: 1, 2: [ { 1: delegation, 2: device record, 3: sequence, 4: expiry }, … ] }</c>.</remarks>
internal sealed class KnownPeers
{
    /// <summary>TrustIDs remembered; the one dialled longest ago gives way.</summary>
    public const int MaxPeers = 1024;

    /// <summary>Devices of one TrustID remembered, and dialled at once.</summary>
    public const int MaxDevices = 8;

    private readonly Dictionary<TrustId, List<PeerDevice>> _devices = [];
    private readonly LinkedList<TrustId> _byUse = new();

    public IReadOnlyList<PeerDevice> Of(TrustId peer) => _devices.TryGetValue(peer, out List<PeerDevice>? devices) ? devices : [];

    /// <summary>Takes in a verified device; an older word about the same device gives way.</summary>
    public void Learn(PeerDevice device)
    {
        TrustId peer = device.Delegation.TrustId;
        if (!_devices.TryGetValue(peer, out List<PeerDevice>? devices))
        {
            if (_devices.Count >= MaxPeers)
            {
                _ = _devices.Remove(_byUse.Last!.Value);
                _byUse.RemoveLast();
            }

            _devices.Add(peer, devices = []);
        }
        else
        {
            _ = _byUse.Remove(peer);
        }

        _ = _byUse.AddFirst(peer);
        int known = devices.FindIndex(other => other.ExchangeKey == device.ExchangeKey);
        if (known >= 0 && devices[known].Sequence <= device.Sequence)
        {
            devices[known] = device;
        }
        else if (known < 0)
        {
            devices.Insert(0, device);
            devices.RemoveRange(Math.Min(devices.Count, MaxDevices), Math.Max(0, devices.Count - MaxDevices));
        }
    }

    /// <summary>All of it, for the shell to keep.</summary>
    public byte[] Snapshot()
    {
        PeerDevice[] all = [.. _byUse.SelectMany(peer => _devices[peer])];
        ArrayBufferWriter<byte> buffer = new();
        CborWriter head = new(buffer.GetSpan(64));
        head.WriteMap(2);
        head.WriteUInt(1);
        head.WriteUInt(1);
        head.WriteUInt(2);
        head.WriteArray(all.Length);
        buffer.Advance(head.Written);
        Span<byte> record = stackalloc byte[DeviceRecord.MaxBytes];
        foreach (PeerDevice device in all)
        {
            int recordBytes = device.Record.Encode(record);
            CborWriter writer = new(buffer.GetSpan(DeviceRecord.MaxBytes + Delegation.MaxBytes + 64));
            writer.WriteMap(4);
            writer.WriteUInt(1);
            writer.WriteBytes(device.Delegation.Encoded.Span);
            writer.WriteUInt(2);
            writer.WriteBytes(record[..recordBytes]);
            writer.WriteUInt(3);
            writer.WriteUInt(device.Sequence);
            writer.WriteUInt(4);
            writer.WriteUInt((ulong)device.Expiry.Seconds);
            buffer.Advance(writer.Written);
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Takes a snapshot back in; what does not parse is left out. Delegations are verified again when dialled.</summary>
    public void Restore(ReadOnlySpan<byte> snapshot)
    {
        CborReader reader = new(snapshot);
        int key = -1;
        if (!reader.TryReadMap(out int pairs) || pairs != 2 || !reader.TryReadKey(ref key) || !reader.TryReadUInt(out ulong version) || version != 1
            || !reader.TryReadKey(ref key) || !reader.TryReadArray(out int count))
        {
            return;
        }

        List<PeerDevice> devices = [];
        for (int i = 0; i < count && TryReadDevice(ref reader, out PeerDevice? device); i++)
        {
            devices.Add(device!);
        }

        // Most recently used first in the snapshot, and the last learnt is first here.
        devices.Reverse();
        devices.ForEach(Learn);
    }

    private static bool TryReadDevice(ref CborReader reader, out PeerDevice? device)
    {
        device = null;
        int key = -1;
        if (!reader.TryReadMap(out int pairs) || pairs != 4
            || !reader.TryReadKey(ref key) || !reader.TryReadBytes(out ReadOnlySpan<byte> delegationBytes) || !Delegation.TryParse(delegationBytes, out Delegation? delegation)
            || !reader.TryReadKey(ref key) || !reader.TryReadBytes(out ReadOnlySpan<byte> recordBytes) || !DeviceRecord.TryParse(recordBytes, out DeviceRecord record)
            || !reader.TryReadKey(ref key) || !reader.TryReadUInt(out ulong sequence)
            || !reader.TryReadKey(ref key) || !reader.TryReadUInt(out ulong expiry) || expiry > long.MaxValue)
        {
            return false;
        }

        device = new PeerDevice(delegation, record, sequence, new UnixTime((long)expiry));
        return true;
    }
}
