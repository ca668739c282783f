using System.Diagnostics.Metrics;

namespace Carrier.Seed.Operations;

/// <summary>Reads the meters of the node and of the runtime at the moment they are asked for.</summary>
/// <remarks>Only observable instruments are read: the node has no others, and the others would have to be summed up between readings.</remarks>
internal sealed class MetricsReader : IDisposable
{
    private static readonly string[] Meters = ["Carrier", "System.Runtime"];

    private readonly MeterListener _listener = new();
    private readonly Lock _lock = new();
    private PrometheusText _text = new();

    public MetricsReader()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.IsObservable && Meters.Contains(instrument.Meter.Name))
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => _text.Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => _text.Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => _text.Add(instrument, value, tags));
        _listener.Start();
    }

    /// <summary>All instruments in Prometheus text. Any thread; one reading at a time.</summary>
    public string Read()
    {
        lock (_lock)
        {
            _text = new PrometheusText();
            _listener.RecordObservableInstruments();
            return _text.ToString();
        }
    }

    public void Dispose() => _listener.Dispose();
}
