using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Carrier.Core.Session.Recovery;
using Carrier.Core.Wire;

namespace Carrier.Core.Session.Frames;

/// <summary>Builds frames straight into the packet they leave in. A TryX that returns false wrote nothing: the frame waits for the next packet.</summary>
public ref struct FrameWriter(Span<byte> packet)
{
    private readonly Span<byte> _packet = packet;

    public int Length { get; private set; }

    public readonly int Remaining => _packet.Length - Length;

    public bool TryWritePing()
    {
        if (Remaining == 0)
        {
            return false;
        }

        _packet[Length++] = (byte)FrameType.Ping;
        return true;
    }

    /// <summary>Fills with PADDING until <paramref name="length"/> bytes are written or the packet is full.</summary>
    public void PadTo(int length)
    {
        int end = Math.Min(length, _packet.Length);
        if (end > Length)
        {
            _packet[Length..end].Clear();
            Length = end;
        }
    }

    /// <summary>Writes a type and the numbers after it: ACK's head, RESET_STREAM, STOP_SENDING, the MAX_ frames, RETIRE_CONNECTION_ID.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryWriteNumbers(FrameType type, params scoped ReadOnlySpan<ulong> numbers)
    {
        int bytes = Varint.Length((ulong)type);
        foreach (ulong number in numbers)
        {
            bytes += Varint.Length(number);
        }

        if (bytes > Remaining)
        {
            return false;
        }

        Put((ulong)type);
        foreach (ulong number in numbers)
        {
            Put(number);
        }

        return true;
    }

    /// <summary>How many ranges after the newest an ACK can tell here, counts included if there are any; negative when not even the newest fits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly int CountAckRanges(AckRanges received, ulong delay, in EcnCounts counts)
    {
        AckRange newest = received[0];
        int bytes = 3 + Varint.Length(newest.Largest) + Varint.Length(delay) + Varint.Length(newest.Count - 1)
            + (counts.Any ? Varint.Length(counts.Capable0) + Varint.Length(counts.Capable1) + Varint.Length(counts.CongestionExperienced) : 0);
        if (bytes > Remaining)
        {
            return -1;
        }

        int count = 0;
        while (count + 1 < received.Count)
        {
            AckRange range = received[count + 1];
            bytes += Varint.Length(received[count].Smallest - range.Largest - 2) + Varint.Length(range.Count - 1);
            if (bytes > Remaining)
            {
                break;
            }

            count++;
        }

        return count;
    }

    /// <summary>Data bytes a STREAM frame can hold here when its offset is at most <paramref name="maxOffset"/>; negative when not even its head fits.</summary>
    public readonly int StreamCapacity(ulong stream, ulong maxOffset) => Remaining - StreamHeadBytes(stream, maxOffset);

    /// <summary>Opens a STREAM frame and hands out where its data goes, for the caller to fill whole. <paramref name="length"/> is at most
    /// <see cref="StreamCapacity"/>. The length is left out when the data reaches the end of the packet; where a byte or two would be
    /// left, PADDING goes before the frame so that it does.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public Span<byte> OpenStream(ulong stream, ulong offset, int length, bool fin)
    {
        int left = Remaining - StreamHeadBytes(stream, offset) - length;
        bool hasLength = left >= Varint.Length((ulong)length);
        if (!hasLength)
        {
            PadTo(Length + left);
        }

        int bits = (fin ? StreamFrame.FinBit : 0) | (hasLength ? StreamFrame.LengthBit : 0) | (offset == 0 ? 0 : StreamFrame.OffsetBit);
        _packet[Length++] = (byte)((int)FrameType.Stream | bits);
        Put(stream);
        if (offset != 0)
        {
            Put(offset);
        }

        if (hasLength)
        {
            Put((ulong)length);
        }

        Span<byte> data = _packet.Slice(Length, length);
        Length += length;
        return data;
    }

    /// <summary>Opens DATAGRAM with its length and hands out where its payload goes; <see cref="DatagramBytes"/> must fit.</summary>
    public Span<byte> OpenDatagram(int length)
    {
        _packet[Length++] = (byte)FrameType.DatagramWithLength;
        Put((ulong)length);
        Span<byte> data = _packet.Slice(Length, length);
        Length += length;
        return data;
    }

    public static int DatagramBytes(int payloadBytes) => 1 + Varint.Length((ulong)payloadBytes) + payloadBytes;

    public bool TryWriteNewConnectionId(in NewConnectionIdFrame frame)
    {
        if (Remaining < 1 + Varint.Length(frame.Sequence) + ConnectionId.Bytes + ResetToken.Bytes)
        {
            return false;
        }

        _packet[Length++] = (byte)FrameType.NewConnectionId;
        Put(frame.Sequence);
        frame.Id.Write(_packet[Length..]);
        Length += ConnectionId.Bytes;
        Put(frame.Token.Span);
        return true;
    }

    /// <summary>Writes PATH_CHALLENGE or PATH_RESPONSE.</summary>
    public bool TryWritePathToken(FrameType type, ulong token)
    {
        if (Remaining < 1 + sizeof(ulong))
        {
            return false;
        }

        _packet[Length++] = (byte)type;
        BinaryPrimitives.WriteUInt64BigEndian(_packet[Length..], token);
        Length += sizeof(ulong);
        return true;
    }

    public bool TryWriteClose(in CloseFrame frame)
    {
        if (frame.Reason.Length > CloseFrame.MaxReasonBytes
            || Remaining < 1 + Varint.Length(frame.Code) + Varint.Length((ulong)frame.Reason.Length) + frame.Reason.Length)
        {
            return false;
        }

        _packet[Length++] = (byte)(frame.IsApplication ? FrameType.ApplicationClose : FrameType.Close);
        Put(frame.Code);
        Put((ulong)frame.Reason.Length);
        Put(frame.Reason);
        return true;
    }

    public bool TryWriteCandidates(scoped ReadOnlySpan<Endpoint> endpoints)
    {
        int bytes = 2;
        foreach (Endpoint endpoint in endpoints)
        {
            bytes += EndpointBytes(endpoint);
        }

        if (endpoints.Length > FrameReader.MaxCandidates || bytes > Remaining)
        {
            return false;
        }

        _packet[Length++] = (byte)FrameType.Candidates;
        _packet[Length++] = (byte)endpoints.Length;
        foreach (Endpoint endpoint in endpoints)
        {
            PutEndpoint(endpoint);
        }

        return true;
    }

    public bool TryWriteObservedAddress(Endpoint endpoint)
    {
        if (1 + EndpointBytes(endpoint) > Remaining)
        {
            return false;
        }

        _packet[Length++] = (byte)FrameType.ObservedAddress;
        PutEndpoint(endpoint);
        return true;
    }

    public bool TryWritePunchCall(scoped ReadOnlySpan<byte> call)
    {
        if (Remaining < 2 + call.Length || call.Length > FrameReader.MaxPunchCallBytes)
        {
            return false;
        }

        _packet[Length++] = (byte)FrameType.PunchCall;
        Put((ulong)call.Length);
        Put(call);
        return true;
    }

    /// <summary>Writes a number where room was already measured.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Put(ulong number) => Length += Varint.Write(_packet[Length..], number);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int StreamHeadBytes(ulong stream, ulong offset) => 1 + Varint.Length(stream) + (offset == 0 ? 0 : Varint.Length(offset));

    private static int EndpointBytes(Endpoint endpoint) => 1 + (endpoint.IsIPv4 ? 4 : 16) + sizeof(ushort);

    private void PutEndpoint(Endpoint endpoint)
    {
        int length = endpoint.WriteAddress(_packet[(Length + 1)..]);
        _packet[Length] = (byte)length;
        BinaryPrimitives.WriteUInt16BigEndian(_packet[(Length + 1 + length)..], endpoint.Port);
        Length += 1 + length + sizeof(ushort);
    }

    private void Put(scoped ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_packet[Length..]);
        Length += bytes.Length;
    }
}
