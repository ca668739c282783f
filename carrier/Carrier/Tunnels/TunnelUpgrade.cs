using System.Security.Cryptography;
using System.Text;

namespace Carrier.Tunnels;

/// <summary>The opening of a tunnel: one HTTP request that becomes a WebSocket (RFC 6455 §4).</summary>
/// <remarks>
/// <code>
/// GET /carrier HTTP/1.1
/// Connection: Upgrade
/// Upgrade: websocket
/// Sec-WebSocket-Version: 13
/// Sec-WebSocket-Key: (24 characters)
/// Sec-WebSocket-Protocol: carrier.datagrams.1
/// </code>
/// in any order, with any other fields. Anything else is answered as a web server without that page would.
/// </remarks>
internal static class TunnelUpgrade
{
    public const string Path = "/carrier";
    public const string Protocol = "carrier.datagrams.1";

    /// <summary>The longest request head read: browsers send 1 KB, proxies add some.</summary>
    public const int MaxHeadBytes = 4096;

    private const int KeyLength = 24;

    /// <summary>RFC 6455 §1.3.</summary>
    private const string Guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

    public static ReadOnlySpan<byte> Refusal => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"u8;

    /// <summary>Reads a request head, its empty line included; the key is what <see cref="Accept"/> needs.</summary>
    public static bool TryParse(ReadOnlySpan<byte> head, out string key)
    {
        key = "";
        if (head.Length > MaxHeadBytes || !head.StartsWith("GET /carrier HTTP/1.1\r\n"u8) || !head.EndsWith("\r\n\r\n"u8))
        {
            return false;
        }

        bool upgrades = false, isVersion = false, isProtocol = false;
        ReadOnlySpan<byte> rest = head[(head.IndexOf("\r\n"u8) + 2)..];
        for (int end = rest.IndexOf("\r\n"u8); end > 0; end = rest.IndexOf("\r\n"u8))
        {
            ReadOnlySpan<byte> field = rest[..end];
            rest = rest[(end + 2)..];
            int colon = field.IndexOf((byte)':');
            if (colon <= 0)
            {
                return false;
            }

            ReadOnlySpan<byte> name = field[..colon], value = field[(colon + 1)..].Trim(" \t"u8);
            upgrades |= Ascii.EqualsIgnoreCase(name, "Upgrade"u8) && Ascii.EqualsIgnoreCase(value, "websocket"u8);
            isVersion |= Ascii.EqualsIgnoreCase(name, "Sec-WebSocket-Version"u8) && value.SequenceEqual("13"u8);
            isProtocol |= Ascii.EqualsIgnoreCase(name, "Sec-WebSocket-Protocol"u8) && value.SequenceEqual(Encoding.ASCII.GetBytes(Protocol));
            if (Ascii.EqualsIgnoreCase(name, "Sec-WebSocket-Key"u8) && value.Length == KeyLength && value.IndexOfAnyExceptInRange((byte)'+', (byte)'z') < 0)
            {
                key = Encoding.ASCII.GetString(value);
            }
        }

        return upgrades && isVersion && isProtocol && key.Length > 0;
    }

    /// <summary>The answer that opens the tunnel.</summary>
#pragma warning disable CA5350 // what RFC 6455 §4.2.2 prescribes; nothing rests on it
    public static byte[] Accept(string key) => Encoding.ASCII.GetBytes(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        + $"Sec-WebSocket-Accept: {Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + Guid)))}\r\nSec-WebSocket-Protocol: {Protocol}\r\n\r\n");
#pragma warning restore CA5350
}
