using Carrier.Core;
using Carrier.Core.Identity;
using Carrier.Dht.Records;
using Carrier.Dht.Routing;

namespace Carrier.Dht.Lookups;

/// <summary>A record of ours that is put again until it is withdrawn: as it is, or signed anew each time.</summary>
internal sealed class Publication
{
    /// <summary>The wait after the first put in a row that too few nodes took; it doubles until one succeeds or the publish interval is reached.</summary>
    public static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(2);

    private readonly DhtRecord? _fixed;
    private readonly DeviceKeys? _device;
    private readonly Delegation? _delegation;
    private readonly byte[] _salt = [];
    private ulong _lastSequence;
    private TimeSpan _retry = FirstRetry;

    public Publication(ulong id, DhtRecord record)
    {
        Id = id;
        _fixed = record;
        Target = record.Target;
    }

    public Publication(ulong id, DeviceKeys device, Delegation delegation, ReadOnlySpan<byte> salt)
    {
        Id = id;
        _device = device;
        _delegation = delegation;
        _salt = salt.ToArray();
        Target = SignedRecord.TargetOf(delegation.TrustId, salt);
    }

    public ulong Id { get; }

    /// <summary>The delegation it is signed by; null where another signed it.</summary>
    public Delegation? Delegation => _delegation;

    public DhtKey Target { get; }

    public byte[] Value { get; set; } = [];

    public Instant NextAt { get; set; }

    /// <summary>A put of it is under way.</summary>
    public bool IsRunning { get; set; }

    /// <summary>A put of it ended: what too few nodes took (they were silent, busy, or nobody was there) is put again soon, not at the next interval.</summary>
    public void Ended(Instant now, bool isKept, double jitter)
    {
        IsRunning = false;
        if (isKept)
        {
            _retry = FirstRetry;
            return;
        }

        NextAt = Instant.Min(NextAt, now + (_retry * jitter)); // a change meanwhile may be due already
        _retry *= 2;
    }

    /// <summary>The record to put now, with a sequence above every one of this device that was found, above the last, and not below the clock.</summary>
    /// <remarks>The clock makes sequences rise over restarts without a file; what was found makes them rise when the clock fell.</remarks>
    public DhtRecord Sign(UnixTime now, TimeSpan lifetime, FoundRecords found)
    {
        if (_fixed is not null)
        {
            return _fixed;
        }

        ulong foundSequence = found.Of(_device!.SigningKey)?.Sequence ?? 0;
        ulong least = Math.Max(_lastSequence, foundSequence);
        _lastSequence = Math.Max((ulong)Math.Max(0, now.Seconds), least == ulong.MaxValue ? least : least + 1);
        return SignedRecord.Sign(_device, _delegation!, _salt, _lastSequence, now + lifetime, Value);
    }
}
