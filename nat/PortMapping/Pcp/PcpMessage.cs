using System.Buffers.Binary;
using Carrier.Core;

namespace Carrier.Nat.PortMapping.Pcp;

/// <summary>Result codes of PCP that mean something to us (RFC 6887 §7.4); every other one is a refusal too.</summary>
public enum PcpResult : byte
{
    Success = 0,
    UnsupportedVersion = 1,
    NotAuthorized = 2,
    Malformed = 3,
    UnsupportedOpcode = 4,
    NetworkFailure = 7,
    NoResources = 8,
    CannotProvideExternal = 11,
    AddressMismatch = 12,
}

/// <summary>Operations of PCP (RFC 6887 §19.2).</summary>
public enum PcpOpcode : byte
{
    Announce = 0,
    Map = 1,
}

/// <summary>The 96 random bits by which a mapping's owner is known to the gateway (RFC 6887 §11.1).</summary>
public readonly record struct PcpNonce(ulong High, uint Low)
{
    public static PcpNonce New(RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(random);
        return new(random.NextUInt64(), (uint)random.NextUInt64());
    }
}

/// <summary>A PCP request: version 2, MAP of one UDP port or ANNOUNCE.</summary>
/// <remarks>
/// <code>
///  0        1          2              4                    8            24
///  +--------+----------+--------------+--------------------+------------+
///  | 02     | opcode   | 0000         | lifetime (s)       | client's IP|     ANNOUNCE ends here
///  +--------+----------+--------------+--------------------+------------+
/// 24           36         37          40              42              44
///  +-----------+----------+-----------+---------------+---------------+-----------------------+
///  | nonce 12  | protocol | 000000    | internal port | external port | external address 16   |  60 bytes
///  +-----------+----------+-----------+---------------+---------------+-----------------------+
/// </code>
/// Big-endian; IPv4 addresses are v4-mapped (RFC 6887 §5, §7.1, §11.1). A lifetime of zero deletes.
/// </remarks>
public readonly record struct PcpRequest(PcpOpcode Opcode, TimeSpan Lifetime, Endpoint Client, PcpNonce Nonce, Endpoint SuggestedExternal)
{
    public const int AnnounceBytes = 24;
    public const int MapBytes = 60;

    /// <summary>The port PCP and NAT-PMP are served at (RFC 6887 §19.1).</summary>
    public const ushort ServerPort = 5351;

    internal const byte Version = 2;
    internal const byte Udp = 17;

    /// <summary>Asks for nothing but the answer's epoch (RFC 6887 §14.1).</summary>
    public static PcpRequest Announce(Endpoint client) => new(PcpOpcode.Announce, TimeSpan.Zero, client, default, default);

    /// <summary>Writes 24 or 60 bytes and returns how many; zero when they do not fit.</summary>
    public int Write(Span<byte> destination)
    {
        int bytes = Opcode == PcpOpcode.Map ? MapBytes : AnnounceBytes;
        if (destination.Length < bytes)
        {
            return 0;
        }

        destination[..bytes].Clear();
        destination[0] = Version;
        destination[1] = (byte)Opcode;
        BinaryPrimitives.WriteUInt32BigEndian(destination[4..], (uint)Lifetime.TotalSeconds);
        PcpAddress.Write(Client, destination[8..]);
        if (Opcode == PcpOpcode.Map)
        {
            BinaryPrimitives.WriteUInt64BigEndian(destination[24..], Nonce.High);
            BinaryPrimitives.WriteUInt32BigEndian(destination[32..], Nonce.Low);
            destination[36] = Udp;
            BinaryPrimitives.WriteUInt16BigEndian(destination[40..], Client.Port);
            BinaryPrimitives.WriteUInt16BigEndian(destination[42..], SuggestedExternal.Port);
            PcpAddress.Write(SuggestedExternal.IsNone ? Endpoint.FromIPv4(0, 0) : SuggestedExternal, destination[44..]);
        }

        return bytes;
    }
}

/// <summary>A PCP answer to MAP or ANNOUNCE.</summary>
/// <remarks>
/// <code>
///  0      1               2    3        4              8              12            24
///  +------+---------------+----+--------+--------------+--------------+-------------+
///  | 02   | 80 | opcode   | 00 | result | lifetime (s) | epoch (s)    | 00 … 00     |   then for MAP the 36 bytes of the request's
///  +------+---------------+----+--------+--------------+--------------+-------------+   form, with the assigned external endpoint
/// </code>
/// RFC 6887 §7.2, §11.1. Options behind are not looked at. An error may carry any lifetime: how long not to ask again.
/// </remarks>
public readonly record struct PcpAnswer(
    PcpOpcode Opcode, PcpResult Result, TimeSpan Lifetime, uint Epoch, PcpNonce Nonce, ushort InternalPort, Endpoint External)
{
    /// <summary>The longest PCP message (RFC 6887 §7).</summary>
    public const int MaxBytes = 1100;

    private const byte AnswerBit = 0x80;

    /// <summary>Reads an answer; false for anything else, a request and an answer of another version or protocol included.</summary>
    public static bool TryParse(ReadOnlySpan<byte> datagram, out PcpAnswer answer)
    {
        answer = default;
        if (datagram.Length is < PcpRequest.AnnounceBytes or > MaxBytes || datagram.Length % 4 != 0
            || datagram[0] != PcpRequest.Version || (datagram[1] & AnswerBit) == 0)
        {
            return false;
        }

        answer = new PcpAnswer(
            (PcpOpcode)(datagram[1] & ~AnswerBit),
            (PcpResult)datagram[3],
            TimeSpan.FromSeconds(BinaryPrimitives.ReadUInt32BigEndian(datagram[4..])),
            BinaryPrimitives.ReadUInt32BigEndian(datagram[8..]),
            default,
            0,
            default);
        if (answer.Opcode != PcpOpcode.Map)
        {
            return answer.Opcode == PcpOpcode.Announce;
        }

        if (datagram.Length < PcpRequest.MapBytes || datagram[36] != PcpRequest.Udp
            || !Endpoint.TryFromBytes(datagram.Slice(44, 16), BinaryPrimitives.ReadUInt16BigEndian(datagram[42..]), out Endpoint external))
        {
            return false;
        }

        answer = answer with
        {
            Nonce = new PcpNonce(BinaryPrimitives.ReadUInt64BigEndian(datagram[24..]), BinaryPrimitives.ReadUInt32BigEndian(datagram[32..])),
            InternalPort = BinaryPrimitives.ReadUInt16BigEndian(datagram[40..]),
            External = external,
        };
        return true;
    }
}

/// <summary>Addresses inside PCP: always sixteen bytes.</summary>
internal static class PcpAddress
{
    public static void Write(Endpoint endpoint, Span<byte> destination)
    {
        destination[..16].Clear();
        if (endpoint.IsIPv4)
        {
            destination[10] = destination[11] = 0xFF;
            _ = endpoint.WriteAddress(destination[12..]);
        }
        else
        {
            _ = endpoint.WriteAddress(destination);
        }
    }
}
