namespace Carrier.Net;

/// <summary>Decides whether looking for work before sleeping pays: only while the last wait was short enough for a spin to have caught its end.</summary>
internal sealed class SpinBudget(TimeSpan limit)
{
    private bool _lastWaitWasShort = true;

    /// <summary>How long one spin may take. Zero is off.</summary>
    public TimeSpan Limit => limit;

    public bool IsWorthwhile => limit > TimeSpan.Zero && _lastWaitWasShort;

    /// <summary>Takes how long a wait lasted from its start, the spin included.</summary>
    public void Learn(TimeSpan waited) => _lastWaitWasShort = waited < 2 * limit;
}
