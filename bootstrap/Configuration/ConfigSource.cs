using System.Collections;
using System.Text.Json;

namespace Carrier.Seed.Configuration;

/// <summary>A value somebody gave, and where: <c>--listen</c>, <c>CARRIER_SEED_LISTEN</c> or <c>"listen" in FILE</c>.</summary>
internal sealed record GivenValue(string Origin, IReadOnlyList<string> Values);

/// <summary>The three places a setting may come from. Each gives its values by setting name, or says which key it does not know.</summary>
internal static class ConfigSource
{
    public const string ConfigVariable = Setting.EnvironmentPrefix + "CONFIG";

    /// <summary>Variables with our prefix that are not the operator's: what <c>carrier demo</c> reads, and what Kubernetes and Docker links set for a service of our name.</summary>
    private static readonly string[] OthersVariables = ["CARRIER_SEED_EXE", "CARRIER_SEED_SERVICE_", "CARRIER_SEED_PORT"];

    private static readonly JsonDocumentOptions FileOptions = new()
    {
        CommentHandling = JsonCommentHandling.Skip,
        AllowTrailingCommas = true,
        AllowDuplicateProperties = false,
    };

    /// <summary>Reads one JSON object; its values are strings, numbers and, for lists, arrays of strings.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">Nor may it be.</exception>
    public static bool TryFile(string path, out Dictionary<string, GivenValue> given, out string error)
    {
        given = [];
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path), FileOptions);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                error = $"{path}: the file is not one JSON object.";
                return false;
            }

            foreach (JsonProperty property in document.RootElement.EnumerateObject())
            {
                if (Setting.All.FirstOrDefault(setting => setting.Name == property.Name) is not { } setting)
                {
                    error = $"{path}: unknown key \"{property.Name}\". Known are {string.Join(", ", Setting.All.Select(known => known.Name))}.";
                    return false;
                }

                if (!TryValues(property.Value, out string[] values))
                {
                    error = $"{path}: \"{property.Name}\" should be {setting.Form}{(setting.IsList ? ", or an array of those" : "")}.";
                    return false;
                }

                given[property.Name] = new GivenValue($"\"{property.Name}\" in {path}", values);
            }
        }
        catch (JsonException e)
        {
            error = $"{path}: {e.Message}";
            return false;
        }

        error = "";
        return true;
    }

    /// <summary>Takes every variable that begins with <see cref="Setting.EnvironmentPrefix"/>; a list is separated by commas.</summary>
    public static bool TryEnvironment(IDictionary environment, out Dictionary<string, GivenValue> given, out string error)
    {
        given = [];
        foreach (DictionaryEntry entry in environment)
        {
            string variable = (string)entry.Key;
            if (!variable.StartsWith(Setting.EnvironmentPrefix, StringComparison.Ordinal) || variable == ConfigVariable
                || OthersVariables.Any(prefix => variable.StartsWith(prefix, StringComparison.Ordinal)))
            {
                continue;
            }

            if (Setting.All.FirstOrDefault(setting => setting.Variable == variable) is not { } setting)
            {
                error = $"unknown variable {variable}. Known are {ConfigVariable}, {string.Join(", ", Setting.All.Select(known => known.Variable))}.";
                return false;
            }

            string value = (string?)entry.Value ?? "";
            string[] values = setting.IsList ? value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) : [value];
            given[setting.Name] = new GivenValue(variable, values);
        }

        error = "";
        return true;
    }

    private static bool TryValues(JsonElement element, out string[] values)
    {
        values = element.ValueKind switch
        {
            JsonValueKind.String => [element.GetString()!],
            JsonValueKind.Number => [element.GetRawText()],
            JsonValueKind.Array when element.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String) => [.. element.EnumerateArray().Select(item => item.GetString()!)],
            _ => [],
        };
        return values.Length > 0 || element is { ValueKind: JsonValueKind.Array } && element.GetArrayLength() == 0;
    }
}
