using System.Diagnostics.Metrics;
using System.Text.RegularExpressions;
using Carrier.Seed.Operations;

namespace Carrier.Tests.Bootstrap;

public sealed partial class PrometheusTextTests
{
    [Fact]
    public void Add_writes_names_units_and_labels_as_the_format_wants()
    {
        using Meter meter = new("Carrier.Tests.Prometheus");
        Instrument bytes = meter.CreateObservableCounter("some.relay.sent", () => 0L, "By", "Line one\nand \\ two.");
        Instrument seconds = meter.CreateObservableGauge("some.rtt", () => 0d, "s");
        Instrument nodes = meter.CreateObservableUpDownCounter("some.nodes", () => 0, "{node}", "Nodes.");
        PrometheusText text = new();

        text.Add(bytes, 18_446_744_073, [new("reason", "a \"b\"\\\n"), new("2.x", 7)]);
        text.Add(bytes, 2, [new("reason", "c")]);
        text.Add(seconds, 0.25, []);
        text.Add(nodes, double.PositiveInfinity, []);

        Assert.Equal(
            """
            # HELP some_relay_sent_bytes_total Line one\nand \\ two.
            # TYPE some_relay_sent_bytes_total counter
            some_relay_sent_bytes_total{reason="a \"b\"\\\n",__x="7"} 18446744073
            some_relay_sent_bytes_total{reason="c"} 2
            # HELP some_rtt_seconds 
            # TYPE some_rtt_seconds gauge
            some_rtt_seconds 0.25
            # HELP some_nodes Nodes.
            # TYPE some_nodes gauge
            some_nodes +Inf

            """,
            text.ToString(),
            ignoreLineEndingDifferences: true);
    }

    [Fact]
    public void Read_of_the_runtimes_meter_is_well_formed_and_names_each_metric_once()
    {
        using MetricsReader reader = new();

        string[] lines = reader.Read().TrimEnd('\n').Split('\n');

        AssertWellFormed(lines);
        Assert.Contains(lines, line => line.StartsWith("dotnet_process_memory_working_set_bytes ", StringComparison.Ordinal));
    }

    /// <summary>HELP, TYPE, then samples of that name alone, and no name twice.</summary>
    internal static void AssertWellFormed(IReadOnlyList<string> lines)
    {
        HashSet<string> seen = [];
        string current = "";
        for (int i = 0; i < lines.Count; i++)
        {
            if (Help().Match(lines[i]) is { Success: true } help)
            {
                current = help.Groups[1].Value;
                Assert.True(seen.Add(current), $"{current} is there twice");
                Assert.Matches($"^# TYPE {current} (counter|gauge)$", lines[++i]);
            }
            else
            {
                Match sample = Sample().Match(lines[i]);
                Assert.True(sample.Success, lines[i]);
                Assert.Equal(current, sample.Groups[1].Value);
            }
        }
    }

    [GeneratedRegex("^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) .*$")]
    private static partial Regex Help();

    [GeneratedRegex("""^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{([a-zA-Z_][a-zA-Z0-9_]*="([^"\\\n]|\\["\\n])*",?)+\})? (NaN|[+-]Inf|-?[0-9.]+(E[+-]?[0-9]+)?)$""")]
    private static partial Regex Sample();
}
