using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json.Nodes;

namespace Carrier.Devnet.Rpc;

/// <summary>The parameters of a call, by name or by place; each method says in which order it takes them.</summary>
internal readonly struct RpcParameters(JsonNode? parameters)
{
    /// <summary>The value named <paramref name="name"/>, or the one at <paramref name="place"/>.</summary>
    public JsonNode? this[string name, int place] => parameters switch
    {
        JsonObject named => named[name],
        JsonArray placed when place < placed.Count => placed[place],
        _ => null,
    };

    public string? Text(string name, int place) => this[name, place] is JsonValue value && value.TryGetValue(out string? text) ? text : null;

    public string RequiredText(string name, int place, string complaint) =>
        Text(name, place) ?? throw new RpcException(RpcError.InvalidParameters, complaint);

    /// <summary>A whole number, also where it is written as a string.</summary>
    public bool TryNumber(string name, int place, out uint number)
    {
        number = 0;
        return this[name, place] is JsonValue value
            && (value.TryGetValue(out string? text)
                ? uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number)
                : TryWhole(value, out number));
    }

    public bool Flag(string name, int place) => this[name, place] is JsonValue value && value.TryGetValue(out bool flag) && flag;

    public bool TryList(string name, int place, [NotNullWhen(true)] out JsonArray? list)
    {
        list = this[name, place] as JsonArray;
        return list is not null;
    }

    private static bool TryWhole(JsonValue value, out uint number)
    {
        number = 0;
        bool whole = value.TryGetValue(out double real) && real >= 0 && real <= uint.MaxValue && Math.Truncate(real) == real;
        number = whole ? (uint)real : 0;
        return whole;
    }
}
