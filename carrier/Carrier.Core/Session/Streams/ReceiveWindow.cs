namespace Carrier.Core.Session.Streams;

/// <summary>How far ahead of the reader a peer may send, for one stream or the whole session (RFC 9000 §4.1).</summary>
/// <remarks>A limit half used up is moved on. When half a window was read in less than two round trips the window was what held the
/// sender back, so it doubles, up to its maximum: an idle stream costs little, a fast one fills a long path.</remarks>
internal struct ReceiveWindow(long initialBytes, long maxBytes)
{
    private readonly long _maxBytes = maxBytes;
    private long _windowBytes = Math.Min(initialBytes, maxBytes);
    private Instant _movedAt;
    private bool _moved;

    /// <summary>One past the highest offset the peer may send: what MAX_DATA or MAX_STREAM_DATA says.</summary>
    public long Limit { get; private set; } = Math.Min(initialBytes, maxBytes);

    public readonly long WindowBytes => _windowBytes;

    /// <summary>Tells that the reader has come to <paramref name="consumed"/>; true when <see cref="Limit"/> moved and should be sent.</summary>
    public bool Advance(long consumed, Instant now, TimeSpan roundTrip)
    {
        if (Limit - consumed > _windowBytes / 2)
        {
            return false;
        }

        if (_moved && now - _movedAt < 2 * roundTrip)
        {
            _windowBytes = Math.Min(_windowBytes * 2, _maxBytes);
        }

        _moved = true;
        _movedAt = now;
        Limit = consumed + _windowBytes;
        return true;
    }
}
