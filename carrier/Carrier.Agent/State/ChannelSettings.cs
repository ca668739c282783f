using System.Text.Json;
using System.Text.Json.Serialization;
using Carrier.Chain.Channels;
using Carrier.Chain.Primitives;
using Carrier.Core.Identity;
using Carrier.Core.Storage;

namespace Carrier.Agent.State;

/// <summary>What a user has set about payment channels: <c>channels.json</c>. A home with a chain in it runs channels whenever its agent runs.</summary>
internal sealed record ChannelSettings
{
    /// <summary>A longer file is a mistake.</summary>
    public const int MaxBytes = 1024 * 1024;

    /// <summary>Which chain and which nodes; null where channels are off.</summary>
    public ChainChoice? Chain { get; init; }

    /// <summary>Who may open channels to us, and on which terms; null for nobody.</summary>
    public ChannelAcceptance? Accept { get; init; }

    /// <exception cref="AgentException">It is no JSON, or names something unknown.</exception>
    public static ChannelSettings Load(AgentHome home)
    {
        FileReading reading = DurableFile.TryRead(home.ChannelSettings, MaxBytes, out byte[] contents);
        if (reading == FileReading.Missing)
        {
            return new ChannelSettings();
        }

        try
        {
            return reading == FileReading.Read && JsonSerializer.Deserialize(contents, ChannelSettingsJson.Default.ChannelSettings) is { } settings
                ? settings
                : throw new AgentException(ExitCode.Failure, $"'{home.ChannelSettings}' is too long or empty: repair or delete it.");
        }
        catch (JsonException e)
        {
            throw new AgentException(ExitCode.Failure, $"'{home.ChannelSettings}' cannot be read: {e.Message} Repair or delete it.", e);
        }
    }

    public void Save(AgentHome home) =>
        DurableFile.Write(home.ChannelSettings, JsonSerializer.SerializeToUtf8Bytes(this, ChannelSettingsJson.Default.ChannelSettings));
}

/// <summary>The terms on which channels to us are taken. Amounts are decimal ELA.</summary>
internal sealed record ChannelAcceptance
{
    public const string Anybody = "any";

    /// <summary>TrustIDs, or <see cref="Anybody"/>.</summary>
    public IReadOnlyList<string> From { get; init; } = [];

    public string MinDeposit { get; init; } = "0.001";

    /// <summary>How much may be delivered before it is paid.</summary>
    public string Window { get; init; } = "0";

    public uint Confirmations { get; init; } = ChannelLimits.FinalConfirmations;

    /// <summary>Whether this agent is up day and night: it then closes 30 blocks before L, else 720.</summary>
    public bool AlwaysOn { get; init; }

    /// <summary>The balance at which a channel is closed; null for none.</summary>
    public string? CloseAt { get; init; }

    public bool Takes(TrustId peer) => From.Any(text => text == Anybody || (TrustId.TryParse(text, out TrustId id) && id == peer));

    /// <summary>The same for the library.</summary>
    public PayeePolicy ToPolicy() => new()
    {
        MinDeposit = Amount(MinDeposit),
        CreditWindow = Amount(Window),
        Confirmations = Confirmations,
        CloseMargin = AlwaysOn ? ChannelLimits.AlwaysOnMargin : ChannelLimits.SometimesOnMargin,
        CloseThreshold = CloseAt is null ? Sela.Max : Amount(CloseAt),
    };

    private static Sela Amount(string text) => Sela.TryParse(text, out Sela amount)
        ? amount
        : throw new AgentException(ExitCode.Failure, $"'{text}' in channels.json is no amount of ELA: set it anew with carrier channel accept.");
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    AllowTrailingCommas = true,
    ReadCommentHandling = JsonCommentHandling.Skip,
    WriteIndented = true)]
[JsonSerializable(typeof(ChannelSettings))]
internal sealed partial class ChannelSettingsJson : JsonSerializerContext;
