using System.Text.Json;

namespace Carrier.Chain.Access;

/// <summary>One JSON-RPC call with named parameters: texts, numbers, truths or lists of texts.</summary>
public readonly record struct RpcCall(string Method, params IReadOnlyList<(string Name, object Value)> Parameters)
{
    internal void Write(Utf8JsonWriter writer, int id)
    {
        writer.WriteStartObject();
        writer.WriteString("jsonrpc", "2.0");
        writer.WriteNumber("id", id);
        writer.WriteString("method", Method);
        writer.WriteStartObject("params");
        foreach ((string name, object value) in Parameters)
        {
            writer.WritePropertyName(name);
            WriteValue(writer, value);
        }

        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private static void WriteValue(Utf8JsonWriter writer, object value)
    {
        switch (value)
        {
            case string text:
                writer.WriteStringValue(text);
                break;
            case int number:
                writer.WriteNumberValue(number);
                break;
            case uint number:
                writer.WriteNumberValue(number);
                break;
            case bool truth:
                writer.WriteBooleanValue(truth);
                break;
            case IEnumerable<string> texts:
                writer.WriteStartArray();
                foreach (string text in texts)
                {
                    writer.WriteStringValue(text);
                }

                writer.WriteEndArray();
                break;
            default:
                throw new ArgumentException($"No parameter is a {value.GetType()}.", nameof(value));
        }
    }
}
