using System.Text.Json;
using System.Text.Json.Serialization;

namespace Carrier.Agent.Control;

/// <summary>The JSON of the control protocol, generated at compile time.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    AllowOutOfOrderMetadataProperties = true,
    MaxDepth = 8)]
[JsonSerializable(typeof(ControlRequest))]
[JsonSerializable(typeof(ControlReply))]
[JsonSerializable(typeof(ControlAnswer))]
internal sealed partial class ControlJson : JsonSerializerContext
{
    public static string Line(ControlReply reply) => JsonSerializer.Serialize(reply, Default.ControlReply);
}
