namespace Carrier.Core.Session.Recovery;

/// <summary>Which congestion controller the paths of a session get.</summary>
public enum CongestionControl
{
    /// <summary>CUBIC with HyStart++ (RFC 9438, RFC 9406): fair beside TCP, the default.</summary>
    Cubic,

    /// <summary>A model of bandwidth and round trip after BBRv2: for paths that lose packets without being full.</summary>
    Bbr,
}
