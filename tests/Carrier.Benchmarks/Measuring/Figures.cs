using System.Text;
using System.Text.Json;

namespace Carrier.Benchmarks.Measuring;

/// <summary>Named figures as one line of JSON, in the order given, rounded to four digits after the point. A figure that is not known is null.</summary>
internal static class Figures
{
    public static string Write(params (string Name, double? Value)[] figures)
    {
        using MemoryStream buffer = new();
        using (Utf8JsonWriter writer = new(buffer))
        {
            writer.WriteStartObject();
            foreach ((string name, double? value) in figures)
            {
                if (value is { } number)
                {
                    writer.WriteNumber(name, Math.Round((decimal)number, 4));
                }
                else
                {
                    writer.WriteNull(name);
                }
            }

            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    public static Dictionary<string, double?> Read(string json) => JsonSerializer.Deserialize<Dictionary<string, double?>>(json)!;
}
