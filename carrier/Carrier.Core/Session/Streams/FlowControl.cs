namespace Carrier.Core.Session.Streams;

/// <summary>The credit of the whole session, both ways (RFC 9000 §4.1). Offsets are sums over all streams.</summary>
internal sealed class FlowControl(long receiveBytes, long maxReceiveBytes, long sendLimit)
{
    private ReceiveWindow _window = new(receiveBytes, maxReceiveBytes);
    private long _received;
    private long _consumed;
    private long _sent;
    private long _sendLimit = sendLimit;

    /// <summary>New stream bytes we may still send.</summary>
    public long SendCredit => _sendLimit - _sent;

    /// <summary>What MAX_DATA says now.</summary>
    public long ReceiveLimit => _window.Limit;

    public bool MaxDataPending { get; set; }

    public void OnSent(int freshBytes) => _sent += freshBytes;

    /// <summary>True when the peer raised our credit; lower or equal limits are old news.</summary>
    public bool OnMaxData(ulong limit)
    {
        if (limit <= (ulong)_sendLimit)
        {
            return false;
        }

        _sendLimit = (long)limit;
        return true;
    }

    /// <summary>Whether bytes that raise a stream's highest offset by <paramref name="bytes"/> are within the session's limit.</summary>
    public bool CanReceive(long bytes) => bytes <= _window.Limit - _received;

    public void OnReceived(long bytes) => _received += bytes;

    /// <summary>Bytes were read, or thrown away with their stream.</summary>
    public void OnConsumed(long bytes, Instant now, TimeSpan roundTrip)
    {
        _consumed += bytes;
        MaxDataPending |= _window.Advance(_consumed, now, roundTrip);
    }
}
