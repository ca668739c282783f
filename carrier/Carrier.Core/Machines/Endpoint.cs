using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Carrier.Core;

/// <summary>An IP address and UDP port as a value: sixteen address bytes (IPv4 as v4-mapped, RFC 4291 §2.5.5.2) and a port, no allocation.</summary>
/// <remarks>An IPv4 endpoint and its v4-mapped form are equal by construction. Link-local scope ids are not kept.</remarks>
public readonly record struct Endpoint
{
    private const uint MappedPrefix = 0x0000FFFF;

    private readonly ulong _high;
    private readonly ulong _low;

    private Endpoint(ulong high, ulong low, ushort port)
    {
        _high = high;
        _low = low;
        Port = port;
    }

    public ushort Port { get; }

    public bool IsIPv4 => _high == 0 && _low >> 32 == MappedPrefix;

    /// <summary>No address at all: the default value.</summary>
    public bool IsNone => _high == 0 && _low == 0 && Port == 0;

    /// <summary>The four bytes of an IPv4 address, most significant first in the number.</summary>
    public uint IPv4Address => (uint)_low;

    public static Endpoint FromIPv4(uint address, ushort port) => new(0, ((ulong)MappedPrefix << 32) | address, port);

    /// <summary>Takes 4 (IPv4) or 16 (IPv6, v4-mapped allowed) address bytes in network order.</summary>
    public static bool TryFromBytes(ReadOnlySpan<byte> address, ushort port, out Endpoint endpoint)
    {
        endpoint = address.Length switch
        {
            4 => FromIPv4(BinaryPrimitives.ReadUInt32BigEndian(address), port),
            16 => new(BinaryPrimitives.ReadUInt64BigEndian(address), BinaryPrimitives.ReadUInt64BigEndian(address[8..]), port),
            _ => default,
        };
        return address.Length is 4 or 16;
    }

    public static Endpoint From(IPEndPoint endPoint)
    {
        ArgumentNullException.ThrowIfNull(endPoint);
        Span<byte> bytes = stackalloc byte[16];
        endPoint.Address.TryWriteBytes(bytes, out int written);
        _ = TryFromBytes(bytes[..written], (ushort)endPoint.Port, out Endpoint endpoint);
        return endpoint;
    }

    /// <summary>Reads <c>1.2.3.4:5</c> or <c>[2001:db8::1]:5</c>; a port is required.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out Endpoint endpoint)
    {
        endpoint = default;
        int colon = text.LastIndexOf(':');
        if (colon <= 0 || !ushort.TryParse(text[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out ushort port))
        {
            return false;
        }

        ReadOnlySpan<char> host = text[..colon];
        bool bracketed = host.Length > 2 && host[0] == '[' && host[^1] == ']';
        if (host.Contains(':') != bracketed || !IPAddress.TryParse(bracketed ? host[1..^1] : host, out IPAddress? address))
        {
            return false;
        }

        endpoint = From(new IPEndPoint(address, port));
        return true;
    }

    /// <summary>Writes the address in network order, 4 bytes for IPv4 and 16 for IPv6; returns how many.</summary>
    public int WriteAddress(Span<byte> destination)
    {
        if (IsIPv4)
        {
            BinaryPrimitives.WriteUInt32BigEndian(destination, (uint)_low);
            return 4;
        }

        BinaryPrimitives.WriteUInt64BigEndian(destination, _high);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], _low);
        return 16;
    }

    public Endpoint WithPort(ushort port) => new(_high, _low, port);

    /// <summary>The block one owner is taken to hold: IPv4 /24 or IPv6 /48, port zero. What diversity limits and rate limits count by.</summary>
    public Endpoint SourceUnit => IsIPv4 ? new(0, _low & ~0xFFUL, 0) : new(_high & ~0xFFFFUL, 0, 0);

    public IPEndPoint ToIPEndPoint()
    {
        Span<byte> bytes = stackalloc byte[16];
        return new IPEndPoint(new IPAddress(bytes[..WriteAddress(bytes)]), Port);
    }

    public AddressFamily Family => IsIPv4 ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6;

    /// <summary>From how far away this address can be reached; private and loopback peers are only believed in the scope they were learnt in.</summary>
    public AddressScope Scope => IsIPv4 ? ScopeOfIPv4((uint)_low) : ScopeOfIPv6();

    // Peers choose their addresses, so the hash is the runtime's keyed one (Marvin, as for strings): a table cannot be filled with chosen
    // collisions. HashCode.Combine would fold each half to 32 bits before its seed comes in, and everybody could compute what folds alike.
    public override int GetHashCode() => string.GetHashCode(MemoryMarshal.Cast<ulong, char>([_high, _low, Port]));

    public override string ToString() => IsNone ? "none" : ToIPEndPoint().ToString();

    private static AddressScope ScopeOfIPv4(uint a) => (a >> 24) switch
    {
        0 or >= 224 => AddressScope.Unusable,
        127 => AddressScope.Loopback,
        10 => AddressScope.Private,
        169 when a >> 16 == 0xA9FE => AddressScope.LinkLocal,
        172 when a >> 20 == 0xAC1 => AddressScope.Private,
        192 when a >> 16 == 0xC0A8 => AddressScope.Private,
        100 when a >> 22 == 0x191 => AddressScope.Private, // RFC 6598 shared address space
        _ => AddressScope.Global,
    };

    private AddressScope ScopeOfIPv6() => (_high >> 48) switch
    {
        _ when _high == 0 && _low == 1 => AddressScope.Loopback,
        _ when _high == 0 && _low >> 32 == 0 => AddressScope.Unusable,
        >= 0xFF00 => AddressScope.Unusable,
        >= 0xFE80 and <= 0xFEBF => AddressScope.LinkLocal,
        >= 0xFC00 and <= 0xFDFF => AddressScope.Private,
        0x0064 when ((_high >> 32) & 0xFFFF) == 0xFF9B => AddressScope.Unusable, // NAT64, RFC 6052 and RFC 8215: would reach any IPv4 address
        _ => AddressScope.Global,
    };
}

/// <summary>How far an address reaches, nearest first.</summary>
public enum AddressScope
{
    /// <summary>Unspecified, multicast, broadcast or a translation prefix: never a peer.</summary>
    Unusable,
    Loopback,
    LinkLocal,
    Private,
    Global,
}
