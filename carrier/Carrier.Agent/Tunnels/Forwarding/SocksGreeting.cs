using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Carrier.Core.Identity;

namespace Carrier.Agent.Tunnels.Forwarding;

/// <summary>What a SOCKS5 client says first (RFC 1928): the bytes, and whom they mean.</summary>
/// <remarks>
/// <code>
///  methods  05 ‖ count 1 ‖ method 1 × count              answered 05 ‖ 00 (none needed) or 05 ‖ FF
///  request  05 ‖ command 1 ‖ 00 ‖ kind 1 ‖ address ‖ port 2
///           kind 1 IPv4 4 bytes, 3 name (length 1 ‖ bytes), 4 IPv6 16 bytes
///  reply    05 ‖ code 1 ‖ 00 ‖ 01 ‖ 00 00 00 00 ‖ 00 00
/// </code>
/// </remarks>
internal static class SocksGreeting
{
    public const byte Version = 5;
    public const byte NoMethod = 0xFF;
    public const byte NoAuthentication = 0;

    /// <summary>The longest request: a name of 255 bytes.</summary>
    public const int MaxRequestBytes = 4 + 1 + 255 + 2;

    private const string Zone = ".carrier";
    private const byte Connect = 1;
    private const byte KindIPv4 = 1;
    private const byte KindName = 3;
    private const byte KindIPv6 = 4;

    /// <summary>How many bytes a request has whose first five are given; zero when it is none.</summary>
    public static int RequestBytes(ReadOnlySpan<byte> first) => first[0] != Version ? 0 : first[3] switch
    {
        KindIPv4 => 4 + 4 + 2,
        KindName => 4 + 1 + first[4] + 2,
        KindIPv6 => 4 + 16 + 2,
        _ => 0,
    };

    /// <summary>Reads a whole request. <see cref="SocksReply.Succeeded"/> when it names a service, else what to reply.</summary>
    public static SocksReply TryRead(ReadOnlySpan<byte> request, out TrustId peer, out ServiceName service)
    {
        peer = default;
        service = default;
        if (request.Length < 5 || request.Length != RequestBytes(request))
        {
            return SocksReply.AddressKindNotSupported;
        }

        if (request[1] != Connect)
        {
            return SocksReply.CommandNotSupported;
        }

        if (request[3] != KindName)
        {
            return SocksReply.NotAllowed; // no way out to the internet here
        }

        string name = Encoding.ASCII.GetString(request.Slice(5, request[4]));
        return TryReadName(name, BinaryPrimitives.ReadUInt16BigEndian(request[^2..]), out peer, out service)
            ? SocksReply.Succeeded
            : SocksReply.NotAllowed;
    }

    /// <summary><c>TRUSTID.carrier</c> means the service named by the port in decimal, <c>NAME.TRUSTID.carrier</c> the service NAME whatever the port.</summary>
    public static bool TryReadName(string name, ushort port, out TrustId peer, out ServiceName service)
    {
        peer = default;
        service = default;
        name = name.TrimEnd('.');
        if (!name.EndsWith(Zone, StringComparison.OrdinalIgnoreCase))
        {
            return false;
        }

        string[] labels = name[..^Zone.Length].Split('.');
        string wanted = labels.Length == 2 ? labels[0] : port.ToString(CultureInfo.InvariantCulture);
        return labels.Length <= 2 && TrustId.TryParse(labels[^1], out peer) && ServiceName.TryParse(wanted, out service);
    }

    public static byte[] Reply(SocksReply reply) => [Version, (byte)reply, 0, KindIPv4, 0, 0, 0, 0, 0, 0];
}

/// <summary>The reply codes of RFC 1928 §6.</summary>
internal enum SocksReply : byte
{
    Succeeded = 0,
    GeneralFailure = 1,
    NotAllowed = 2,
    NetworkUnreachable = 3,
    HostUnreachable = 4,
    ConnectionRefused = 5,
    TimeToLiveExpired = 6,
    CommandNotSupported = 7,
    AddressKindNotSupported = 8,
}
