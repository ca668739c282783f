namespace Carrier.Core;

/// <summary>The two low bits of the IP header's TOS or traffic class: explicit congestion notification (RFC 3168 §5).</summary>
public enum EcnCodepoint : byte
{
    /// <summary>Not-ECT: a full queue drops it.</summary>
    NotCapable = 0,

    /// <summary>ECT(1), which we never send (RFC 9331).</summary>
    Capable1 = 1,

    /// <summary>ECT(0): a queue may mark it instead of dropping it.</summary>
    Capable0 = 2,

    /// <summary>CE: a queue on the way was filling.</summary>
    CongestionExperienced = 3,
}
