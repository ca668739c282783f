using System.Text.Json;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;

namespace Carrier.Tests.Chain;

/// <summary>Data recorded from a real node, from <c>Vectors/ela/</c>.</summary>
internal static class ChainVectors
{
    public static JsonElement Keys { get; } = Load("keys.json");

    public static JsonElement Transactions { get; } = Load("transactions.json");

    public static JsonElement Headers { get; } = Load("headers.json");

    public static JsonElement Confirms { get; } = Load("confirm.json");

    /// <summary>One chain, heights 0 to 262, raw blocks.</summary>
    public static IReadOnlyList<JsonElement> Chain { get; } = Lines("chain.jsonl");

    public static JsonElement Load(string file) => JsonDocument.Parse(File.ReadAllText(PathOf(file))).RootElement;

    public static IReadOnlyList<JsonElement> Lines(string file) =>
        [.. File.ReadLines(PathOf(file)).Where(line => line.Length > 0).Select(line => JsonDocument.Parse(line).RootElement)];

    public static string Text(this JsonElement element, string name) => element.GetProperty(name).GetString()!;

    public static byte[] Hex(this JsonElement element, string name) => Convert.FromHexString(element.Text(name));

    public static Hash256 Hash(this JsonElement element, string name) => Hash(element.Text(name));

    public static Hash256 Hash(string display) => Hash256.TryParse(display, out Hash256 hash) ? hash : throw new FormatException(display);

    public static Hash256 InternalHash(string hex) => Hash256.TryParseInternal(hex, out Hash256 hash) ? hash : throw new FormatException(hex);

    public static long Number(this JsonElement element, string name) => element.GetProperty(name).GetInt64();

    public static Transaction Parse(byte[] raw)
    {
        Assert.Equal(TransactionReading.Read, Transaction.TryParse(raw, out Transaction? transaction));
        return transaction!;
    }

    /// <summary>Every object of a tree that holds a decoded transaction, with its path.</summary>
    public static IEnumerable<(string Name, JsonElement Transaction)> DecodedTransactions(JsonElement root, string name = "")
    {
        if (root.ValueKind == JsonValueKind.Object)
        {
            if (root.TryGetProperty("unsigned", out _))
            {
                yield return (name, root);
                yield break;
            }

            foreach (JsonProperty property in root.EnumerateObject())
            {
                foreach ((string, JsonElement) found in DecodedTransactions(property.Value, $"{name}/{property.Name}"))
                {
                    yield return found;
                }
            }
        }
        else if (root.ValueKind == JsonValueKind.Array)
        {
            foreach ((int index, JsonElement item) in root.EnumerateArray().Index())
            {
                foreach ((string, JsonElement) found in DecodedTransactions(item, $"{name}/{index}"))
                {
                    yield return found;
                }
            }
        }
    }

    private static string PathOf(string file) => Path.Combine(AppContext.BaseDirectory, "Vectors", "ela", file);
}
