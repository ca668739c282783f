using System.Net;
using System.Text;
using Carrier.Core;

namespace Carrier.Nat.PortMapping;

/// <summary>Where on a gateway something is served over HTTP: an address and port, and a path.</summary>
/// <remarks>Only <c>http://</c>, only an IP literal for host, only visible ASCII in the path: what UPnP uses, and nothing that needs a resolver or could end a request line early.</remarks>
public readonly record struct GatewayAddress(Endpoint Host, string Path)
{
    /// <summary>The longest path taken: miniupnpd's have 20 bytes, the longest seen in the field under 100.</summary>
    public const int MaxPathBytes = 256;

    private const int MaxHostBytes = 64;
    private const ushort DefaultPort = 80;

    private static ReadOnlySpan<byte> Scheme => "http://"u8;

    /// <summary>Reads <c>http://192.168.1.1:5000/rootDesc.xml</c>.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out GatewayAddress address)
    {
        address = default;
        if (text.Length <= Scheme.Length || !Ascii.EqualsIgnoreCase(text[..Scheme.Length], Scheme))
        {
            return false;
        }

        text = text[Scheme.Length..];
        int slash = text.IndexOf((byte)'/');
        ReadOnlySpan<byte> host = slash < 0 ? text : text[..slash];
        ReadOnlySpan<byte> path = slash < 0 ? "/"u8 : text[slash..];
        if (!IsPath(path) || !TryParseHost(host, out Endpoint endpoint))
        {
            return false;
        }

        address = new(endpoint, Encoding.ASCII.GetString(path));
        return true;
    }

    /// <summary>Reads a reference from a document served here: a path, or a whole address. It may name another host; whoever follows it must look.</summary>
    public bool TryResolve(ReadOnlySpan<byte> reference, out GatewayAddress address)
    {
        address = default;
        if (TryParse(reference, out address))
        {
            return true;
        }

        bool isAbsolute = reference.StartsWith("/"u8);
        if (reference.IsEmpty || reference.IndexOf("://"u8) >= 0 || reference.StartsWith("//"u8))
        {
            return false;
        }

        string path = (isAbsolute ? "" : Path[..(Path.LastIndexOf('/') + 1)]) + (Ascii.IsValid(reference) ? Encoding.ASCII.GetString(reference) : " ");
        address = new(Host, path);
        return IsPath(Encoding.ASCII.GetBytes(path));
    }

    public override string ToString() => $"http://{Host}{Path}";

    private static bool IsPath(ReadOnlySpan<byte> path) =>
        path.Length is > 0 and <= MaxPathBytes && path[0] == '/' && path.IndexOfAnyExceptInRange((byte)'!', (byte)'~') < 0;

    private static bool TryParseHost(ReadOnlySpan<byte> host, out Endpoint endpoint)
    {
        endpoint = default;
        Span<char> chars = stackalloc char[MaxHostBytes];
        if (host.Length is 0 or > MaxHostBytes || Ascii.ToUtf16(host, chars, out int length) != System.Buffers.OperationStatus.Done)
        {
            return false;
        }

        ReadOnlySpan<char> text = chars[..length];
        return Endpoint.TryParse(text, out endpoint)
            ? endpoint.Port != 0 && IsCanonical(host, endpoint)
            : IPAddress.TryParse(text, out IPAddress? address) && address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork
                && IsCanonical(host, endpoint = Endpoint.From(new IPEndPoint(address, DefaultPort)));
    }

    // "127.1" and "0x7f000001" are addresses to some parsers: an IPv4 host is taken in its four decimal parts alone.
    private static bool IsCanonical(ReadOnlySpan<byte> host, Endpoint endpoint)
    {
        string canonical = endpoint.ToIPEndPoint().Address.ToString();
        return !endpoint.IsIPv4 || host.StartsWith(Encoding.ASCII.GetBytes(canonical));
    }
}
