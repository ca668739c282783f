using System.Globalization;
using Carrier.Benchmarks.Measuring;

namespace Carrier.Benchmarks.Flood;

/// <summary>What a flood did to a seed, and which bounds it broke.</summary>
internal sealed record FloodReport
{
    /// <summary>Beyond what it held when the flood began: the bounded caches may fill (4,096 shared keys, tokens, replay windows), and the heap's own slack.</summary>
    public const double MaxGrowthMegabytes = 48;

    public const double MaxDialSeconds = 2;

    public required double Seconds { get; init; }

    public required long SentDatagrams { get; init; }

    public required long SentBytes { get; init; }

    public required long ReplayedDatagrams { get; init; }

    /// <summary>What the flooding addresses got back, STUN apart.</summary>
    public required long AnsweredBytes { get; init; }

    public required long StunBytes { get; init; }

    /// <summary>The most that one address got back over what it had sent.</summary>
    public required double WorstSourceRatio { get; init; }

    /// <summary>The most that one first question of an unproven address drew, over its own length.</summary>
    public required double WorstQuestionRatio { get; init; }

    public required int QuestionsAnswered { get; init; }

    public required double ResidentBefore { get; init; }

    public required double ResidentPeak { get; init; }

    public required double ResidentAfter { get; init; }

    public required IReadOnlyList<double> DialSeconds { get; init; }

    public required IReadOnlyList<string> DialFailures { get; init; }

    /// <summary>Sessions at a device that was dialled once and met replays of that dial ever since.</summary>
    public required int SessionsAtListener { get; init; }

    public required double RegistrationsBefore { get; init; }

    public required double RegistrationsAfter { get; init; }

    public required bool IsHealthy { get; init; }

    public double SlowestDial => DialSeconds.Count == 0 ? double.PositiveInfinity : DialSeconds.Max();

    /// <summary>The bounds that were broken, in words; how long a dial took is left to the caller, whose machine may be busy.</summary>
    public IEnumerable<string> Broken()
    {
        if (!IsHealthy)
        {
            yield return "the seed is gone or not healthy";
        }

        if (ResidentPeak - ResidentBefore > MaxGrowthMegabytes)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"the seed grew from {ResidentBefore:F1} to {ResidentPeak:F1} MB");
        }

        if (WorstSourceRatio > 1 || WorstQuestionRatio > 1)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"an unproven address got {Math.Max(WorstSourceRatio, WorstQuestionRatio):F2} times what it sent");
        }

        if (QuestionsAnswered == 0)
        {
            yield return "no first question was answered, so nothing was measured of answers";
        }

        if (DialFailures.Count > 0 || DialSeconds.Count == 0)
        {
            yield return $"{DialFailures.Count} dials beside the flood failed ({string.Join(", ", DialFailures)}), {DialSeconds.Count} succeeded";
        }

        if (SessionsAtListener != 1)
        {
            yield return $"replays made {SessionsAtListener - 1} sessions";
        }

        if (RegistrationsAfter < RegistrationsBefore)
        {
            yield return $"{RegistrationsBefore - RegistrationsAfter} registrations were lost";
        }
    }

    public string ToJson() => Figures.Write(
        ("seconds", Seconds), ("datagrams", SentDatagrams), ("MB", SentBytes / 1e6), ("datagrams_per_s", SentDatagrams / Seconds),
        ("replayed", ReplayedDatagrams), ("answered_bytes", AnsweredBytes), ("stun_bytes", StunBytes), ("worst_source_ratio", WorstSourceRatio),
        ("worst_question_ratio", WorstQuestionRatio), ("rss_before_MB", ResidentBefore), ("rss_peak_MB", ResidentPeak), ("rss_after_MB", ResidentAfter),
        ("dials", DialSeconds.Count), ("dials_failed", DialFailures.Count), ("dial_p50_s", DialPercentile(0.5)), ("dial_p90_s", DialPercentile(0.9)),
        ("dial_p99_s", DialPercentile(0.99)), ("dial_slowest_s", DialPercentile(1)), ("sessions_by_replay", SessionsAtListener - 1),
        ("registrations_before", RegistrationsBefore), ("registrations_after", RegistrationsAfter));

    private double? DialPercentile(double fraction) => DialSeconds.Count == 0 ? null : Samples.Percentile(DialSeconds, fraction);
}
