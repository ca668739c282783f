using Carrier.Core;
using Carrier.Core.Session;
using Carrier.Core.Session.Frames;
using Carrier.Core.Session.Recovery;

namespace Carrier.Fuzz.Targets;

/// <summary>The parsers of the session room: none may throw, loop or read past its input, and what parses re-encodes to the same meaning.</summary>
public static class SessionTargets
{
    public static void Frames(ReadOnlySpan<byte> data)
    {
        FrameReader reader = new(data);
        Span<AckRange> ranges = stackalloc AckRange[FrameReader.MaxAckRanges];
        for (int i = 0; i <= data.Length && !reader.AtEnd; i++)
        {
            if (!reader.TryReadType(out FrameType type) || !TryReadBody(type, ref reader, ranges))
            {
                return;
            }
        }

        if (!reader.AtEnd)
        {
            throw new InvalidOperationException("A frame took no byte.");
        }
    }

    public static void TransportParameterList(ReadOnlySpan<byte> data)
    {
        if (!TransportParameters.TryRead(data, out TransportParameters parameters))
        {
            return;
        }

        Span<byte> again = stackalloc byte[TransportParameters.MaxEncodedBytes];
        int length = parameters.Write(again);
        if (!TransportParameters.TryRead(again[..length], out TransportParameters same) || same != parameters)
        {
            throw new InvalidOperationException("Parameters changed by writing.");
        }
    }

    public static void Packet(ReadOnlySpan<byte> data)
    {
        if (SessionPacket.TryParse(data, out SessionPacket header))
        {
            Span<byte> again = stackalloc byte[SessionPacket.HeaderBytes];
            SessionPacket.WriteHeader(again, header.Destination, header.TruncatedNumber, header.Phase);
            if (!again.SequenceEqual(data[..SessionPacket.HeaderBytes]))
            {
                throw new InvalidOperationException("A header changed by writing.");
            }
        }

        if (SessionPacket.TryParseReset(data, out ConnectionId id, out ResetToken token))
        {
            Span<byte> again = stackalloc byte[SessionPacket.ResetBytes];
            SessionPacket.WriteReset(again, id, token);
            if (!again.SequenceEqual(data))
            {
                throw new InvalidOperationException("A reset changed by writing.");
            }
        }
    }

    private static bool TryReadBody(FrameType type, ref FrameReader reader, scoped Span<AckRange> ranges)
    {
        switch (type)
        {
            case FrameType.Padding or FrameType.Ping:
                return true;
            case FrameType.Ack or FrameType.AckEcn:
                return reader.TryReadAck(ranges, out _) && (type == FrameType.Ack || reader.TryReadEcnCounts(out _));
            case >= FrameType.Stream and <= FrameType.StreamLast:
                return reader.TryReadStream(type, out _);
            case FrameType.ResetStream:
                return reader.TryReadResetStream(out _);
            case FrameType.StopSending:
                return reader.TryReadStopSending(out _);
            case FrameType.MaxStreamData:
                return reader.TryReadMaxStreamData(out _);
            case FrameType.NewConnectionId:
                return reader.TryReadNewConnectionId(out _);
            case FrameType.PathChallenge or FrameType.PathResponse:
                return reader.TryReadPathToken(out _);
            case FrameType.Close or FrameType.ApplicationClose:
                return reader.TryReadClose(type, out _);
            case FrameType.Datagram or FrameType.DatagramWithLength:
                return reader.TryReadDatagram(type, out _);
            case FrameType.ObservedAddress:
                return reader.TryReadEndpoint(out _);
            case FrameType.Candidates:
                bool ok = reader.TryReadCandidateCount(out int count);
                for (int i = 0; ok && i < count; i++)
                {
                    ok = reader.TryReadEndpoint(out Endpoint _);
                }

                return ok;
            default:
                return reader.TryReadNumber(out _);
        }
    }
}
