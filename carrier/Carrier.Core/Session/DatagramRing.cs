namespace Carrier.Core.Session;

/// <summary>Whole datagrams in order, in one ring of bytes: unreliable both ways, so a full queue drops the oldest when receiving and
/// refuses the newest when sending. Allocates its ring on first use and never again.</summary>
public sealed class DatagramRing(int capacityBytes)
{
    private const int LengthBytes = sizeof(ushort);

    private byte[] _ring = [];
    private int _head;
    private int _used;

    public bool IsEmpty => _used == 0;

    /// <summary>The length of the oldest, 0 when there is none.</summary>
    public int NextBytes => _used == 0 ? 0 : _ring[_head] | (_ring[At(1)] << 8);

    public bool TryEnqueue(ReadOnlySpan<byte> datagram)
    {
        if (_used + LengthBytes + datagram.Length > capacityBytes || datagram.Length > ushort.MaxValue)
        {
            return false;
        }

        if (_ring.Length == 0)
        {
            _ring = new byte[capacityBytes];
        }

        _ring[At(_used)] = (byte)datagram.Length;
        _ring[At(_used + 1)] = (byte)(datagram.Length >> 8);
        int start = At(_used + LengthBytes);
        int first = Math.Min(datagram.Length, _ring.Length - start);
        datagram[..first].CopyTo(_ring.AsSpan(start));
        datagram[first..].CopyTo(_ring);
        _used += LengthBytes + datagram.Length;
        return true;
    }

    /// <summary>Takes the oldest; <paramref name="destination"/> must hold <see cref="NextBytes"/>.</summary>
    public int Dequeue(Span<byte> destination)
    {
        int length = NextBytes;
        int start = At(LengthBytes);
        int first = Math.Min(length, _ring.Length - start);
        _ring.AsSpan(start, first).CopyTo(destination);
        _ring.AsSpan(0, length - first).CopyTo(destination[first..]);
        DropOldest();
        return length;
    }

    public void DropOldest()
    {
        int bytes = LengthBytes + NextBytes;
        _head = At(bytes);
        _used -= bytes;
    }

    public void Clear() => (_head, _used, _ring) = (0, 0, []);

    private int At(int offset) => (_head + offset) % _ring.Length;
}
