using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace Carrier.Seed.Operations;

/// <summary>Measurements in Prometheus's text format, version 0.0.4.</summary>
/// <remarks>
/// Names follow OpenTelemetry's rules for Prometheus: <c>carrier.network.received</c> in <c>By</c>, a counter, is <c>carrier_network_received_bytes_total</c>.
/// Units in braces are remarks and leave no trace in the name.
/// </remarks>
internal sealed class PrometheusText
{
    private readonly StringBuilder _text = new();
    private Instrument? _current;

    /// <summary>Writes one sample; those of one instrument come one after another.</summary>
    public void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        string name = NameOf(instrument);
        if (instrument != _current)
        {
            _current = instrument;
            string type = IsCounter(instrument) ? "counter" : "gauge";
            string help = (instrument.Description ?? "").Replace("\\", @"\\", StringComparison.Ordinal).Replace("\n", @"\n", StringComparison.Ordinal);
            _ = _text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} {type}\n");
        }

        _ = _text.Append(name);
        char separator = '{';
        foreach ((string key, object? tag) in tags)
        {
            _ = _text.Append(separator).Append(Sanitize(key)).Append("=\"").Append(Escape(tag)).Append('"');
            separator = ',';
        }

        _ = _text.Append(separator == ',' ? "} " : " ").Append(Number(value)).Append('\n');
    }

    public override string ToString() => _text.ToString();

    private static bool IsCounter(Instrument instrument) =>
        instrument.GetType() is { IsGenericType: true } type && type.GetGenericTypeDefinition() == typeof(ObservableCounter<>);

    private static string NameOf(Instrument instrument)
    {
        string unit = instrument.Unit switch
        {
            null or "" or "1" => "",
            "By" => "_bytes",
            "s" => "_seconds",
            ['{', ..] => "",
            var other => "_" + Sanitize(other),
        };
        string name = Sanitize(instrument.Name);
        return name + (name.EndsWith(unit, StringComparison.Ordinal) ? "" : unit) + (IsCounter(instrument) ? "_total" : "");
    }

    private static string Sanitize(string name) => string.Create(name.Length, name, (sanitized, from) =>
    {
        for (int i = 0; i < from.Length; i++)
        {
            sanitized[i] = char.IsAsciiLetter(from[i]) || (i > 0 && char.IsAsciiDigit(from[i])) ? from[i] : '_';
        }
    });

    private static string Escape(object? tag) =>
        (Convert.ToString(tag, CultureInfo.InvariantCulture) ?? "")
            .Replace("\\", @"\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", @"\n", StringComparison.Ordinal);

    private static string Number(double value) =>
        double.IsNaN(value) ? "NaN" : double.IsInfinity(value) ? value > 0 ? "+Inf" : "-Inf" : value.ToString("R", CultureInfo.InvariantCulture);
}
