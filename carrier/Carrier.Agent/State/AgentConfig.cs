using System.Text.Json;
using System.Text.Json.Serialization;
using Carrier.Core.Identity;
using Carrier.Core.Storage;

namespace Carrier.Agent.State;

/// <summary>What a user has set: <c>config.json</c>. Read anew wherever it matters, so that a running daemon follows <c>carrier allow</c>.</summary>
internal sealed record AgentConfig
{
    /// <summary>A longer file is a mistake: ten thousand friends take half of it.</summary>
    public const int MaxBytes = 1024 * 1024;

    /// <summary>Seeds as <c>key@host:port</c>, used where the command line names none.</summary>
    public IReadOnlyList<string> Seeds { get; init; } = [];

    /// <summary>TrustIDs whose files are accepted without asking.</summary>
    public IReadOnlyList<string> Allow { get; init; } = [];

    /// <summary>Where files go; null for <c>received</c> in the home.</summary>
    public string? ReceiveFolder { get; init; }

    /// <summary>Reads the file; a home without one has the defaults.</summary>
    /// <exception cref="AgentException">It is no JSON, or names something unknown.</exception>
    public static AgentConfig Load(AgentHome home)
    {
        FileReading reading = DurableFile.TryRead(home.Config, MaxBytes, out byte[] contents);
        if (reading == FileReading.Missing)
        {
            return new AgentConfig();
        }

        try
        {
            return reading == FileReading.Read && JsonSerializer.Deserialize(contents, ConfigJson.Default.AgentConfig) is { } config
                ? config
                : throw new AgentException(ExitCode.Failure, $"'{home.Config}' is too long or empty: repair or delete it.");
        }
        catch (JsonException e)
        {
            throw new AgentException(ExitCode.Failure, $"'{home.Config}' cannot be read: {e.Message} Repair or delete it.", e);
        }
    }

    public void Save(AgentHome home) => DurableFile.Write(home.Config, JsonSerializer.SerializeToUtf8Bytes(this, ConfigJson.Default.AgentConfig));

    public bool Allows(TrustId peer) => Allow.Any(text => TrustId.TryParse(text, out TrustId allowed) && allowed == peer);

    public AgentConfig WithAllowed(TrustId peer) => Allows(peer) ? this : this with { Allow = [.. Allow, peer.ToString()] };

    public AgentConfig WithoutAllowed(TrustId peer) =>
        this with { Allow = [.. Allow.Where(text => !TrustId.TryParse(text, out TrustId allowed) || allowed != peer)] };
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowTrailingCommas = true,
    ReadCommentHandling = JsonCommentHandling.Skip,
    WriteIndented = true)]
[JsonSerializable(typeof(AgentConfig))]
internal sealed partial class ConfigJson : JsonSerializerContext;
