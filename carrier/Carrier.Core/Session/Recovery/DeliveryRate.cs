namespace Carrier.Core.Session.Recovery;

/// <summary>One measurement: what was delivered between sending a packet and its acknowledgement.</summary>
/// <param name="BytesPerSecond">Zero when the interval was too short to say.</param>
/// <param name="PriorDeliveredBytes">What had been delivered when the packet was sent.</param>
/// <param name="InFlightBytes">What was in flight with the packet.</param>
/// <param name="IsAppLimited">The sender had nothing to send meanwhile: the rate is a lower bound only.</param>
public readonly record struct RateSample(double BytesPerSecond, long PriorDeliveredBytes, long InFlightBytes, bool IsAppLimited);

/// <summary>
/// Delivery rate estimation (draft-ietf-ccwg-bbr §4.1), by batch: all packets of a batch leave at one instant, so one snapshot stands for all of them.
/// </summary>
public sealed class DeliveryRate
{
    /// <summary>Batches in flight that are told apart; with more, an older one stands in. A round trip of 1 s holds this many batches of 250 µs.</summary>
    public const int MaxSnapshots = 4_096;

    /// <summary>Room to begin with: an idle session must stay small.</summary>
    private const int InitialSnapshots = 2;

    private Snapshot[] _ring = new Snapshot[InitialSnapshots];
    private long _first;
    private long _next;
    private Instant _deliveredAt;
    private Instant _firstSentAt;
    private long _appLimitedUntilBytes;

    private record struct Snapshot(Instant SentAt, Instant DeliveredAt, Instant FirstSentAt, long DeliveredBytes, long InFlightBytes, bool IsAppLimited);

    /// <summary>All bytes acknowledged so far.</summary>
    public long DeliveredBytes { get; private set; }

    public bool IsAppLimited => _appLimitedUntilBytes > DeliveredBytes;

    /// <summary>A batch left; <paramref name="bytesInFlight"/> counts it.</summary>
    public void OnSent(Instant now, int bytes, long bytesInFlight)
    {
        if (bytesInFlight <= bytes)
        {
            (_firstSentAt, _deliveredAt) = (now, now);
        }

        if (_next > _first && At(_next - 1).SentAt == now)
        {
            At(_next - 1).InFlightBytes = bytesInFlight;
            return;
        }

        MakeRoom();
        At(_next++) = new(now, _deliveredAt, _firstSentAt, DeliveredBytes, bytesInFlight, IsAppLimited);
    }

    /// <summary>There is nothing to send: what is measured until the flight has landed shows the application, not the path.</summary>
    public void OnAppLimited(long bytesInFlight) => _appLimitedUntilBytes = DeliveredBytes + Math.Max(bytesInFlight, 1);

    /// <summary>Bytes were acknowledged, the newest of them sent at <paramref name="newestSentAt"/>.</summary>
    public RateSample OnAcked(Instant now, long ackedBytes, Instant newestSentAt)
    {
        DeliveredBytes += ackedBytes;
        _deliveredAt = now;
        while (_next - _first > 1 && At(_first + 1).SentAt <= newestSentAt)
        {
            _first++;
        }

        if (_next == _first || At(_first).SentAt > newestSentAt)
        {
            return default; // sent before what is remembered: an older packet, acknowledged late
        }

        Snapshot sent = At(_first);
        _firstSentAt = Instant.Max(_firstSentAt, sent.SentAt);
        TimeSpan sending = sent.SentAt - sent.FirstSentAt;
        TimeSpan acking = now - sent.DeliveredAt;
        double seconds = (sending > acking ? sending : acking).TotalSeconds;
        double rate = seconds > 0 ? (DeliveredBytes - sent.DeliveredBytes) / seconds : 0;
        return new(rate, sent.DeliveredBytes, sent.InFlightBytes, sent.IsAppLimited);
    }

    private ref Snapshot At(long index) => ref _ring[(int)(index & (_ring.Length - 1))];

    private void MakeRoom()
    {
        if (_next - _first < _ring.Length)
        {
            return;
        }

        if (_ring.Length == MaxSnapshots)
        {
            _first++;
            return;
        }

        Snapshot[] grown = new Snapshot[2 * _ring.Length];
        for (long i = _first; i < _next; i++)
        {
            grown[(int)(i & (grown.Length - 1))] = At(i);
        }

        _ring = grown;
    }
}
