using System.Buffers.Text;
using System.Text;

namespace Carrier.Nat.PortMapping.Upnp;

/// <summary>What the bytes received so far are.</summary>
public enum HttpProgress
{
    /// <summary>Read on.</summary>
    Incomplete,

    Complete,

    /// <summary>No answer, or one over the bounds: close.</summary>
    Refused,
}

/// <summary>One HTTP/1.1 answer to a request that said <c>Connection: close</c>: status and body, no more (RFC 9112 §6).</summary>
public static class HttpAnswer
{
    /// <summary>Head and body together: descriptions of devices in the field have up to 30 KB.</summary>
    public const int MaxBytes = 65_536;

    /// <summary>Finds the body among the bytes received; a chunked one is joined in place.</summary>
    /// <param name="received">All bytes so far, at most <see cref="MaxBytes"/>.</param>
    /// <param name="hasEnded">Whether the other side has closed, so that nothing follows.</param>
    /// <param name="status">The status, once complete.</param>
    /// <param name="body">A view of <paramref name="received"/>.</param>
    public static HttpProgress Read(Span<byte> received, bool hasEnded, out int status, out ReadOnlySpan<byte> body)
    {
        status = 0;
        body = default;
        if (!HttpHead.IsComplete(received))
        {
            return hasEnded || received.Length > HttpHead.MaxBytes ? HttpProgress.Refused : HttpProgress.Incomplete;
        }

        if (!HttpHead.TryParse(received, out HttpHead head))
        {
            return HttpProgress.Refused;
        }

        status = head.Status;
        Span<byte> rest = received[head.Bytes..];
        if (head.TryGet("Transfer-Encoding"u8, out ReadOnlySpan<byte> coding))
        {
            return Ascii.EqualsIgnoreCase(coding, "chunked"u8) ? ReadChunks(rest, hasEnded, out body) : HttpProgress.Refused;
        }

        if (!head.TryGet("Content-Length"u8, out ReadOnlySpan<byte> text))
        {
            body = rest;
            return hasEnded ? HttpProgress.Complete : HttpProgress.Incomplete;
        }

        if (!Utf8Parser.TryParse(text, out uint length, out int digits) || digits != text.Length || length > MaxBytes)
        {
            return HttpProgress.Refused;
        }

        if (rest.Length < length)
        {
            return hasEnded ? HttpProgress.Refused : HttpProgress.Incomplete;
        }

        body = rest[..(int)length];
        return HttpProgress.Complete;
    }

    // Looks before it moves anything, so that bytes of an unfinished body stay as they came and can be read again with more behind them.
    private static HttpProgress ReadChunks(Span<byte> coded, bool hasEnded, out ReadOnlySpan<byte> body)
    {
        body = default;
        HttpProgress unfinished = hasEnded ? HttpProgress.Refused : HttpProgress.Incomplete;
        for (int pass = 0, joined = 0; ; pass++)
        {
            Span<byte> rest = coded;
            while (true)
            {
                int line = rest.IndexOf("\r\n"u8);
                if (line < 0)
                {
                    return unfinished;
                }

                if (!Utf8Parser.TryParse(rest[..line], out uint size, out int digits, 'x') || digits == 0 || size > MaxBytes || (digits < line && rest[digits] != ';'))
                {
                    return HttpProgress.Refused;
                }

                if (size == 0)
                {
                    break;
                }

                rest = rest[(line + 2)..];
                if (rest.Length < size + 2)
                {
                    return unfinished;
                }

                if (pass == 1)
                {
                    rest[..(int)size].CopyTo(coded[joined..]);
                    joined += (int)size;
                }

                rest = rest[((int)size + 2)..];
            }

            if (pass == 1)
            {
                body = coded[..joined];
                return HttpProgress.Complete;
            }
        }
    }
}
