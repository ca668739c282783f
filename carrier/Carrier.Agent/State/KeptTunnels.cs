using System.Text.Json;
using System.Text.Json.Serialization;
using Carrier.Agent.Tunnels;
using Carrier.Core.Storage;

namespace Carrier.Agent.State;

/// <summary>What <c>--keep</c> asked for: <c>tunnels.json</c>. Written by the running agent only.</summary>
internal sealed record KeptTunnels
{
    /// <summary>A longer file is a mistake: all a host may publish takes a tenth.</summary>
    public const int MaxBytes = 1024 * 1024;

    public IReadOnlyList<ServiceDefinition> Services { get; init; } = [];

    public IReadOnlyList<ForwardDefinition> Forwards { get; init; } = [];

    public IReadOnlyList<SocksDefinition> Socks { get; init; } = [];

    /// <exception cref="AgentException">It is no JSON, or names something unknown.</exception>
    public static KeptTunnels Load(AgentHome home)
    {
        FileReading reading = DurableFile.TryRead(home.Tunnels, MaxBytes, out byte[] contents);
        if (reading == FileReading.Missing)
        {
            return new KeptTunnels();
        }

        try
        {
            return reading == FileReading.Read && JsonSerializer.Deserialize(contents, KeptTunnelsJson.Default.KeptTunnels) is { } kept
                ? kept
                : throw new AgentException(ExitCode.Failure, $"'{home.Tunnels}' is too long or empty: repair or delete it.");
        }
        catch (JsonException e)
        {
            throw new AgentException(ExitCode.Failure, $"'{home.Tunnels}' cannot be read: {e.Message} Repair or delete it.", e);
        }
    }

    public void Save(AgentHome home) => DurableFile.Write(home.Tunnels, JsonSerializer.SerializeToUtf8Bytes(this, KeptTunnelsJson.Default.KeptTunnels));
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    UseStringEnumConverter = true,
    AllowTrailingCommas = true,
    ReadCommentHandling = JsonCommentHandling.Skip,
    WriteIndented = true)]
[JsonSerializable(typeof(KeptTunnels))]
internal sealed partial class KeptTunnelsJson : JsonSerializerContext;
