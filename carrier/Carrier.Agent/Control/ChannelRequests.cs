namespace Carrier.Agent.Control;

/// <summary>Opens a channel. Amounts are decimal ELA.</summary>
/// <param name="Window">What is paid at most ahead of acknowledgements; null for all of it.</param>
/// <param name="LockHeight">L itself; null for <paramref name="Blocks"/> from the tip.</param>
/// <param name="Fee">Of each of gate, refund and close; null for the default.</param>
/// <param name="Confirmations">To wait for; 0 for not even the first.</param>
internal sealed record OpenChannelRequest(
    string Peer, string Amount, string? Window, uint Blocks, uint? LockHeight, string? Fee, uint Confirmations) : ControlRequest;

/// <param name="Channel">One alone, or null for all.</param>
internal sealed record ChannelsRequest(string? Channel) : ControlRequest;

/// <param name="Channel">An id, the beginning of one, or the payee's TrustID.</param>
internal sealed record PayRequest(string Channel, string Amount, int Count) : ControlRequest;

/// <param name="Confirmations">Of the close, to wait for; 0 for none.</param>
internal sealed record CloseChannelRequest(string Channel, uint Confirmations) : ControlRequest;

/// <inheritdoc cref="CloseChannelRequest"/>
internal sealed record RefundRequest(string Channel, uint Confirmations) : ControlRequest;

internal sealed record ExportCloseRequest(string Channel) : ControlRequest;
