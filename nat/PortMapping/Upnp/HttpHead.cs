using System.Buffers.Text;
using System.Text;

namespace Carrier.Nat.PortMapping.Upnp;

/// <summary>The status line and header fields of an HTTP/1.x answer, as a view of the bytes received (RFC 9112 §4, §5).</summary>
public readonly ref struct HttpHead
{
    /// <summary>The longest head looked at.</summary>
    public const int MaxBytes = 4096;

    private readonly ReadOnlySpan<byte> _fields;

    private HttpHead(int status, ReadOnlySpan<byte> fields, int bytes)
    {
        Status = status;
        _fields = fields;
        Bytes = bytes;
    }

    /// <summary>100–599.</summary>
    public int Status { get; }

    /// <summary>The head's length, the empty line included.</summary>
    public int Bytes { get; }

    private static ReadOnlySpan<byte> End => "\r\n\r\n"u8;

    /// <summary>Whether the whole head is among the bytes received.</summary>
    public static bool IsComplete(ReadOnlySpan<byte> received) => received.IndexOf(End) >= 0;

    public static bool TryParse(ReadOnlySpan<byte> received, out HttpHead head)
    {
        head = default;
        int end = received.IndexOf(End);
        if (end is < 12 or > MaxBytes || !received.StartsWith("HTTP/1."u8) || received[8] != ' '
            || !Utf8Parser.TryParse(received.Slice(9, 3), out int status, out int digits) || digits != 3 || status is < 100 or > 599)
        {
            return false;
        }

        int line = received.IndexOf("\r\n"u8);
        head = new(status, received[line..(end + 2)], end + End.Length);
        return true;
    }

    /// <summary>The value of the first field of that name, whatever its case, without the space around it.</summary>
    public bool TryGet(ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        ReadOnlySpan<byte> rest = _fields;
        while (rest.Length > 2)
        {
            rest = rest[2..];
            int end = rest.IndexOf("\r\n"u8);
            ReadOnlySpan<byte> field = rest[..end];
            rest = rest[end..];
            if (field.Length > name.Length && field[name.Length] == ':' && Ascii.EqualsIgnoreCase(field[..name.Length], name))
            {
                value = field[(name.Length + 1)..].Trim(" \t"u8);
                return true;
            }
        }

        value = default;
        return false;
    }
}
