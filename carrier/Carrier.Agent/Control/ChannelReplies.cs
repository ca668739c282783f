using Carrier.Agent.Channels;

namespace Carrier.Agent.Control;

internal sealed record ChannelReply(ChannelReport Channel) : ControlReply;

/// <summary>A row of payments, every one of them acknowledged: on the payee's disk. Amounts are decimal ELA.</summary>
/// <param name="Paid">What the channel has paid in all.</param>
internal sealed record PaidReply(string Channel, int Count, string Amount, string Paid, string Left, double Seconds) : ControlReply;

/// <summary>The latest close, for whoever will broadcast it.</summary>
/// <param name="CloseBy">The height from which it should.</param>
/// <param name="Export">The file, in hex.</param>
internal sealed record ExportReply(string Channel, string Amount, uint CloseBy, uint LockHeight, string Export) : ControlReply;

/// <param name="From">TrustIDs, or <c>any</c>; empty when nobody's channels are taken.</param>
internal sealed record AcceptanceReply(
    IReadOnlyList<string> From, string MinDeposit, string Window, uint Confirmations, bool AlwaysOn, string? CloseAt) : ControlReply;
