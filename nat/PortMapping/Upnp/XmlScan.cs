namespace Carrier.Nat.PortMapping.Upnp;

/// <summary>What <see cref="XmlScan"/> came upon.</summary>
internal enum XmlToken
{
    /// <summary>The document is over, well or not: <see cref="XmlScan.IsMalformed"/>.</summary>
    End,
    Open,
    Close,
    Text,
}

/// <summary>Goes through the tags and texts of a small XML document from a gateway, without building anything.</summary>
/// <remarks>
/// Reads what UPnP devices send and refuses the rest: no document type (hence no entities to define or bring in), no CDATA, no nesting beyond
/// <see cref="MaxDepth"/>. Prefixes and attributes are passed over. Whether tags match is not looked at: nothing here trusts their shape.
/// </remarks>
internal ref struct XmlScan(ReadOnlySpan<byte> document)
{
    /// <summary>A root description nests eight deep.</summary>
    public const int MaxDepth = 32;

    private ReadOnlySpan<byte> _rest = document;
    private bool _closesAtOnce;
    private int _depth;

    /// <summary>The name of a tag without its prefix, or the text between two tags without the space around it.</summary>
    public ReadOnlySpan<byte> Value { get; private set; }

    public bool IsMalformed { get; private set; }

    public XmlToken Next()
    {
        if (_closesAtOnce)
        {
            _closesAtOnce = false;
            _depth--;
            return XmlToken.Close;
        }

        while (!_rest.IsEmpty)
        {
            int tag = _rest.IndexOf((byte)'<');
            ReadOnlySpan<byte> text = (tag < 0 ? _rest : _rest[..tag]).Trim(" \t\r\n"u8);
            _rest = tag < 0 ? default : _rest[tag..];
            if (!text.IsEmpty)
            {
                Value = text;
                return XmlToken.Text;
            }

            if (_rest.StartsWith("<?"u8))
            {
                Pass("?>"u8);
            }
            else if (_rest.StartsWith("<!--"u8))
            {
                Pass("-->"u8);
            }
            else if (_rest.StartsWith("<!"u8))
            {
                return Refuse(); // a document type, or CDATA
            }
            else if (!_rest.IsEmpty)
            {
                return ReadTag();
            }
        }

        return XmlToken.End;
    }

    private XmlToken ReadTag()
    {
        int end = _rest.IndexOf((byte)'>');
        if (end < 2)
        {
            return Refuse();
        }

        bool closes = _rest[1] == '/';
        ReadOnlySpan<byte> tag = _rest[(closes ? 2 : 1)..end];
        _rest = _rest[(end + 1)..];
        _closesAtOnce = !closes && tag.EndsWith("/"u8);
        int nameEnd = tag.IndexOfAny(" \t\r\n/"u8);
        ReadOnlySpan<byte> name = nameEnd < 0 ? tag : tag[..nameEnd];
        Value = name[(name.IndexOf((byte)':') + 1)..];
        _depth += closes ? -1 : 1;
        return Value.IsEmpty || _depth is < 0 or > MaxDepth ? Refuse() : closes ? XmlToken.Close : XmlToken.Open;
    }

    private void Pass(ReadOnlySpan<byte> closing)
    {
        int end = _rest.IndexOf(closing);
        IsMalformed |= end < 0;
        _rest = end < 0 ? default : _rest[(end + closing.Length)..];
    }

    private XmlToken Refuse()
    {
        IsMalformed = true;
        _closesAtOnce = false;
        _rest = default;
        return XmlToken.End;
    }
}
