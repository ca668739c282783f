using Carrier.Core;

namespace Carrier.Nat.PortMapping;

/// <summary>Watches the seconds a gateway says it has run, to notice that it restarted and forgot its mappings (RFC 6887 §8.5, RFC 6886 §3.6).</summary>
public struct GatewayEpoch
{
    private Instant _toldAt;
    private uint _told;
    private bool _isKnown;

    /// <summary>Takes the epoch of an answer; false when the gateway must have lost its state since the answer before.</summary>
    public bool Continues(Instant now, uint epoch)
    {
        bool continues = !_isKnown || IsPlausible((now - _toldAt).TotalSeconds, (double)epoch - _told);
        (_toldAt, _told, _isKnown) = (now, epoch, true);
        return continues;
    }

    // One second back is reordering; otherwise both clocks must agree to 1/16 and two seconds.
    private static bool IsPlausible(double ours, double theirs) =>
        theirs >= -1 && ours + 2 >= theirs - (theirs / 16) && theirs + 2 >= ours - (ours / 16);
}
