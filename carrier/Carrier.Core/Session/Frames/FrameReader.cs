using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Carrier.Core.Session.Recovery;
using Carrier.Core.Wire;

namespace Carrier.Core.Session.Frames;

/// <summary>Walks the frames of one opened packet. Read a type, then the body of that type; false means the packet does not parse.</summary>
/// <remarks>Nothing is copied: spans point into the packet. No length is believed before it is compared with what is left.</remarks>
public ref struct FrameReader(ReadOnlySpan<byte> packet)
{
    /// <summary>Ranges one ACK frame may hold. As many as a receiver remembers; a longer list only costs its reader time.</summary>
    public const int MaxAckRanges = AckRanges.MaxRanges;

    /// <summary>Endpoints one CANDIDATES frame may hold: as many as a session has paths.</summary>
    public const int MaxCandidates = 8;

    /// <summary>The longest PUNCH_CALL: three times what is said today.</summary>
    public const int MaxPunchCallBytes = 64;

    // A delay above this is a lie or a machine that slept; neither may reach the round-trip estimate.
    private const ulong MaxDelayMicroseconds = 60_000_000;

    private ReadOnlySpan<byte> _rest = packet;

    public readonly bool AtEnd => _rest.IsEmpty;

    /// <summary>Reads the next type, passing over any PADDING at once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryReadType(out FrameType type)
    {
        type = FrameType.Padding;
        if (!_rest.IsEmpty && _rest[0] == (byte)FrameType.Padding)
        {
            int next = _rest.IndexOfAnyExcept((byte)FrameType.Padding);
            _rest = next < 0 ? default : _rest[next..];
            return true;
        }

        // A type in a longer form than needed is refused: it could only hide a frame from a simpler reader.
        if (!Varint.TryRead(ref _rest, out ulong value) || value > (ulong)FrameType.DatagramWithLength)
        {
            return false;
        }

        type = (FrameType)value;
        return FrameRules.IsKnown(type);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryReadStream(FrameType type, out StreamFrame frame)
    {
        frame = default;
        byte bits = (byte)type;
        ulong offset = 0;
        if (!Varint.TryRead(ref _rest, out ulong stream)
            || ((bits & StreamFrame.OffsetBit) != 0 && !Varint.TryRead(ref _rest, out offset))
            || !TryReadData((bits & StreamFrame.LengthBit) != 0, out ReadOnlySpan<byte> data)
            || offset + (ulong)data.Length > Varint.MaxValue)
        {
            return false;
        }

        frame = new() { Stream = stream, Offset = offset, Data = data, Fin = (bits & StreamFrame.FinBit) != 0 };
        return true;
    }

    public bool TryReadDatagram(FrameType type, out ReadOnlySpan<byte> data) => TryReadData(type == FrameType.DatagramWithLength, out data);

    /// <summary>Reads what follows the ranges of an ACK of type 0x03.</summary>
    public bool TryReadEcnCounts(out EcnCounts counts)
    {
        bool read = Varint.TryRead(ref _rest, out ulong capable0) & Varint.TryRead(ref _rest, out ulong capable1) & Varint.TryRead(ref _rest, out ulong congested);
        counts = new(capable0, capable1, congested);
        return read;
    }

    /// <summary>Reads ACK; <paramref name="newestFirst"/> takes its ranges and has room for <see cref="MaxAckRanges"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryReadAck(scoped Span<AckRange> newestFirst, out AckFrame frame)
    {
        frame = default;
        if (!Varint.TryRead(ref _rest, out ulong largest) || !Varint.TryRead(ref _rest, out ulong delay)
            || !Varint.TryRead(ref _rest, out ulong more) || !Varint.TryRead(ref _rest, out ulong length)
            || more >= MaxAckRanges || length > largest)
        {
            return false;
        }

        newestFirst[0] = new(largest - length, largest);
        for (int i = 1; i <= (int)more; i++)
        {
            ulong above = newestFirst[i - 1].Smallest;
            if (!Varint.TryRead(ref _rest, out ulong gap) || !Varint.TryRead(ref _rest, out length)
                || gap + 2 > above || length > above - gap - 2)
            {
                return false;
            }

            newestFirst[i] = new(above - gap - 2 - length, above - gap - 2);
        }

        frame = new(TimeSpan.FromMicroseconds((long)Math.Min(delay, MaxDelayMicroseconds)), (int)more + 1);
        return true;
    }

    /// <summary>The one varint of MAX_DATA, MAX_STREAMS and RETIRE_CONNECTION_ID.</summary>
    public bool TryReadNumber(out ulong value) => Varint.TryRead(ref _rest, out value);

    public bool TryReadResetStream(out ResetStreamFrame frame)
    {
        frame = default;
        if (!Varint.TryRead(ref _rest, out ulong stream) || !Varint.TryRead(ref _rest, out ulong code)
            || !Varint.TryRead(ref _rest, out ulong finalSize))
        {
            return false;
        }

        frame = new(stream, code, finalSize);
        return true;
    }

    public bool TryReadStopSending(out StopSendingFrame frame)
    {
        bool ok = TryReadPair(out ulong stream, out ulong code);
        frame = new(stream, code);
        return ok;
    }

    public bool TryReadMaxStreamData(out MaxStreamDataFrame frame)
    {
        bool ok = TryReadPair(out ulong stream, out ulong limit);
        frame = new(stream, limit);
        return ok;
    }

    public bool TryReadNewConnectionId(out NewConnectionIdFrame frame)
    {
        frame = default;
        if (!Varint.TryRead(ref _rest, out ulong sequence) || !TryTake(ConnectionId.Bytes + ResetToken.Bytes, out ReadOnlySpan<byte> body))
        {
            return false;
        }

        frame = new(sequence, ConnectionId.Read(body), new ResetToken(body[ConnectionId.Bytes..]));
        return !frame.Id.IsNone;
    }

    /// <summary>The eight bytes of PATH_CHALLENGE and PATH_RESPONSE, as a big-endian number.</summary>
    public bool TryReadPathToken(out ulong token)
    {
        bool ok = TryTake(sizeof(ulong), out ReadOnlySpan<byte> body);
        token = ok ? BinaryPrimitives.ReadUInt64BigEndian(body) : 0;
        return ok;
    }

    public bool TryReadClose(FrameType type, out CloseFrame frame)
    {
        frame = default;
        if (!Varint.TryRead(ref _rest, out ulong code) || !TryReadData(true, out ReadOnlySpan<byte> reason)
            || reason.Length > CloseFrame.MaxReasonBytes)
        {
            return false;
        }

        frame = new() { Code = code, IsApplication = type == FrameType.ApplicationClose, Reason = reason };
        return true;
    }

    /// <summary>How many endpoints follow in CANDIDATES; read each with <see cref="TryReadEndpoint"/>.</summary>
    public bool TryReadCandidateCount(out int count)
    {
        bool ok = Varint.TryRead(ref _rest, out ulong value) && value <= MaxCandidates;
        count = ok ? (int)value : 0;
        return ok;
    }

    /// <summary><code>4 or 16 ‖ address ‖ port 2</code></summary>
    public bool TryReadEndpoint(out Endpoint endpoint)
    {
        endpoint = default;
        if (_rest.IsEmpty || _rest[0] is not (4 or 16) || _rest.Length < 1 + _rest[0] + sizeof(ushort))
        {
            return false;
        }

        int length = _rest[0];
        ReadOnlySpan<byte> address = _rest.Slice(1, length);
        ushort port = BinaryPrimitives.ReadUInt16BigEndian(_rest[(1 + length)..]);
        _rest = _rest[(1 + length + sizeof(ushort))..];
        return Endpoint.TryFromBytes(address, port, out endpoint);
    }

    /// <summary><code>length varint ‖ bytes</code></summary>
    public bool TryReadPunchCall(out ReadOnlySpan<byte> call) => TryReadData(true, out call) && call.Length <= MaxPunchCallBytes;

    private bool TryReadPair(out ulong first, out ulong second)
    {
        second = 0;
        return Varint.TryRead(ref _rest, out first) && Varint.TryRead(ref _rest, out second);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool TryReadData(bool hasLength, out ReadOnlySpan<byte> data)
    {
        ulong length = (ulong)_rest.Length;
        data = default;
        return (!hasLength || Varint.TryRead(ref _rest, out length)) && length <= (ulong)_rest.Length && TryTake((int)length, out data);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryTake(int length, out ReadOnlySpan<byte> taken)
    {
        if (_rest.Length < length)
        {
            taken = default;
            return false;
        }

        taken = _rest[..length];
        _rest = _rest[length..];
        return true;
    }
}
