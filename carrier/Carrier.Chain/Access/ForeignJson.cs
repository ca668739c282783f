using System.Text.Json;
using System.Text.Unicode;

namespace Carrier.Chain.Access;

/// <summary>JSON that a stranger wrote.</summary>
/// <remarks><see cref="JsonDocument"/> looks at text only when it is asked for, and throws then where the bytes are no UTF-8 or an escape is half a surrogate pair. Here
/// all text is looked at once, so that no reader of a parsed document can throw.</remarks>
internal static class ForeignJson
{
    /// <summary>Parses a whole document.</summary>
    /// <exception cref="JsonException">It is no JSON, nested too deeply, or holds text that is none.</exception>
    public static JsonDocument Parse(byte[] utf8, int maxDepth)
    {
        if (!Utf8.IsValid(utf8))
        {
            throw new JsonException("Not UTF-8.");
        }

        var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = maxDepth });
        while (reader.Read())
        {
            if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName && reader.ValueIsEscaped)
            {
                CheckEscapes(ref reader);
            }
        }

        return JsonDocument.Parse(utf8, new JsonDocumentOptions { MaxDepth = maxDepth });
    }

    private static void CheckEscapes(ref Utf8JsonReader reader)
    {
        try
        {
            _ = reader.GetString();
        }
        catch (InvalidOperationException e)
        {
            throw new JsonException("Half a surrogate pair.", e);
        }
    }
}
