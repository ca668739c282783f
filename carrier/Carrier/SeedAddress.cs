using System.Globalization;
using Carrier.Core;
using Carrier.Core.Crypto;

namespace Carrier;

/// <summary>A node to begin with: <c>key@host:port</c>, where key is the 64 hex digits of its transport key and host a name or an address.</summary>
/// <param name="Key">What questions to the node are sealed to: nobody else can answer in its place.</param>
/// <param name="Host">A DNS name, an IPv4 address, or an IPv6 address without brackets.</param>
/// <param name="Port">Its UDP port.</param>
public readonly record struct SeedAddress(PublicKey Key, string Host, ushort Port)
{
    public SeedAddress(PublicKey key, Endpoint endpoint)
        : this(key, endpoint.ToIPEndPoint().Address.ToString(), endpoint.Port)
    {
    }

    public static bool TryParse(ReadOnlySpan<char> text, out SeedAddress address)
    {
        address = default;
        int at = text.IndexOf('@');
        int colon = text.LastIndexOf(':');
        if (at != 2 * PublicKey.Bytes || colon <= at + 1)
        {
            return false;
        }

        ReadOnlySpan<char> host = text[(at + 1)..colon];
        bool isBracketed = host.Length > 2 && host[0] == '[' && host[^1] == ']';
        Span<byte> key = stackalloc byte[PublicKey.Bytes];
        if (host.Contains(':') != isBracketed
            || !ushort.TryParse(text[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out ushort port) || port == 0
            || Convert.FromHexString(text[..at], key, out _, out _) != System.Buffers.OperationStatus.Done)
        {
            return false;
        }

        address = new SeedAddress(new PublicKey(key), (isBracketed ? host[1..^1] : host).ToString(), port);
        return true;
    }

    public override string ToString() =>
        Host.Contains(':', StringComparison.Ordinal)
            ? string.Create(CultureInfo.InvariantCulture, $"{Key}@[{Host}]:{Port}")
            : string.Create(CultureInfo.InvariantCulture, $"{Key}@{Host}:{Port}");
}
