using Carrier.Core.Identity;
using Carrier.Core.Session;
using Carrier.Node;
using Carrier.Node.Dialing;

namespace Carrier.Driving;

/// <summary>The words for what failed: each says what to do next.</summary>
internal static class Failures
{
    public static CarrierException NodeStopped() => new(CarrierError.NodeStopped, "This node has stopped; start another one.");

    public static CarrierException Of(DialFailure failure, TrustId peer) => failure switch
    {
        DialFailure.NotFound => new(
            CarrierError.NotFound, $"Nobody with the TrustID {peer} is in the network. Check the TrustID, and that the device is online."),
        DialFailure.NetworkUnreachable => new(
            CarrierError.NetworkUnreachable, "No node of the network answered. Check this machine's connection, and that the seeds given are up."),
        DialFailure.Unreachable => new(
            CarrierError.Unreachable, $"The devices of {peer} did not answer on any path. They may have gone offline a moment ago; try again later."),
        DialFailure.NotTrusted => new(
            CarrierError.NotTrusted, $"No device of {peer} holds a valid delegation. Its owner must issue a new one; check this machine's clock too."),
        _ => new(CarrierError.Busy, "This node has too many dials under way, or no identity to dial with. Try again when some have ended."),
    };

    public static CarrierException Of(in SessionClose close) => close switch
    {
        { Kind: CloseKind.IdleTimeout } => new(CarrierError.IdleTimeout, "The peer fell silent. Connect again."),
        { Kind: CloseKind.StatelessReset } => new(CarrierError.SessionReset, "The peer restarted and no longer knows this session. Connect again."),
        { Kind: CloseKind.Transport } => new(
            CarrierError.TransportFailed, $"The session broke a rule of the transport ({(CloseCode)close.Code}). This is a defect of one of the two nodes.", close.Code),
        { Code: NodeCloseCode.ProtocolNotSpoken } => new(
            CarrierError.ProtocolNotSpoken, "The peer listens to no such protocol. Check the name, and that its application runs.", close.Code),
        { Code: NodeCloseCode.NodeStopped, ByPeer: false } => NodeStopped(),
        { Code: NodeCloseCode.NodeStopped } => new(CarrierError.ClosedByPeer, "The peer's node stopped. Connect again later.", close.Code),
        { ByPeer: true } => new(CarrierError.ClosedByPeer, $"The peer closed the session with code {close.Code}.", close.Code),
        _ => new(CarrierError.Closed, "The session was closed here.", close.Code),
    };
}
