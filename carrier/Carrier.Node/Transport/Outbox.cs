using Carrier.Core;

namespace Carrier.Node.Transport;

/// <summary>Small datagrams waiting to be sent: STUN answers, handshake messages, keepalives. Bounded; what does not fit is counted and dropped.</summary>
/// <remarks>One byte ring and one ring of entries; nothing is allocated after construction. Session packets do not pass here.</remarks>
internal sealed class Outbox(DropCounters drops)
{
    /// <summary>Room for about a thousand small answers: more than one receive batch can provoke.</summary>
    public const int MaxBytes = 256 * 1024;

    private const int MaxDatagrams = 1024;

    private readonly byte[] _bytes = new byte[MaxBytes];
    private readonly (NetworkPath Path, int Offset, int Bytes, bool IsOpening)[] _entries = new (NetworkPath, int, int, bool)[MaxDatagrams];
    private int _head;
    private int _count;
    private int _writeOffset;

    public bool IsEmpty => _count == 0;

    /// <summary>Room for one datagram of at most <paramref name="maxBytes"/>; commit what was written with <see cref="Commit"/>. False when full.</summary>
    public bool TryReserve(int maxBytes, out Span<byte> room)
    {
        room = default;
        int readOffset = _count == 0 ? 0 : _entries[_head].Offset;
        if (_count == 0)
        {
            _writeOffset = 0;
        }

        // The ring wraps as a whole datagram: the free stretch is [write, end) or, behind the oldest entry, [0, read).
        if (_count == 0 || _writeOffset > readOffset)
        {
            if (_bytes.Length - _writeOffset < maxBytes)
            {
                if (readOffset < maxBytes)
                {
                    drops.Count(DropReason.Full);
                    return false;
                }

                _writeOffset = 0;
            }
        }

        bool wrapped = _count > 0 && _writeOffset <= readOffset;
        if (_count == MaxDatagrams || (wrapped && readOffset - _writeOffset < maxBytes))
        {
            drops.Count(DropReason.Full);
            return false;
        }

        room = _bytes.AsSpan(_writeOffset, maxBytes);
        return true;
    }

    /// <param name="isOpening">It shall open the NATs near us and go no farther (<see cref="Transmit.IsOpening"/>).</param>
    public void Commit(in NetworkPath path, int bytes, bool isOpening = false)
    {
        _entries[(_head + _count) % MaxDatagrams] = (path, _writeOffset, bytes, isOpening);
        _count++;
        _writeOffset += bytes;
    }

    public void Add(in NetworkPath path, ReadOnlySpan<byte> datagram)
    {
        if (TryReserve(path.HeaderBytes + datagram.Length, out Span<byte> room))
        {
            path.WriteHeader(room);
            datagram.CopyTo(room[path.HeaderBytes..]);
            Commit(path, path.HeaderBytes + datagram.Length);
        }
    }

    public bool TryTransmit(Span<byte> buffer, out Transmit transmit)
    {
        transmit = default;
        if (_count == 0)
        {
            return false;
        }

        (NetworkPath path, int offset, int bytes, bool isOpening) = _entries[_head];
        _head = (_head + 1) % MaxDatagrams;
        _count--;
        _bytes.AsSpan(offset, bytes).CopyTo(buffer);
        transmit = new Transmit(path, bytes, bytes, IsOpening: isOpening);
        return true;
    }
}
