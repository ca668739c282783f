namespace Carrier.Agent.Tunnels;

/// <summary>A service's name: a DNS label (RFC 1123 §2.1), so that <c>NAME.TRUSTID.carrier</c> can stand for it. Capitals are read as small letters.</summary>
internal readonly record struct ServiceName
{
    public const int MaxLength = 63;

    private readonly string? _text;

    private ServiceName(string text) => _text = text;

    public string Text => _text ?? string.Empty;

    public static bool TryParse(string? text, out ServiceName name)
    {
        name = default;
        if (text is not { Length: > 0 and <= MaxLength } || text[0] == '-' || text[^1] == '-'
            || !text.All(each => char.IsAsciiLetterOrDigit(each) || each == '-'))
        {
            return false;
        }

#pragma warning disable CA1308 // names are written small
        name = new ServiceName(text.ToLowerInvariant());
#pragma warning restore CA1308
        return true;
    }

    public override string ToString() => Text;
}
