namespace Carrier.Core.Session.Recovery;

/// <summary>The largest value of this period and the one before it: BBR's filter of two probing cycles.</summary>
internal struct WindowedMax
{
    private double _before;
    private double _current;

    public readonly double Value => Math.Max(_before, _current);

    public void Add(double value) => _current = Math.Max(_current, value);

    public void NextPeriod() => (_before, _current) = (_current, 0);
}
