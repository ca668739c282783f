using System.Text.Json.Serialization;
using Carrier.Agent.Network;
using Carrier.Agent.State;
using Carrier.Agent.Tunnels;

namespace Carrier.Agent.Control;

/// <summary>What an agent says while it does what it was asked; one JSON object a line, also on the standard output of every command under <c>--json</c>.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(NoteReply), "note")]
[JsonDerivedType(typeof(StatusReply), "status")]
[JsonDerivedType(typeof(PeerReply), "peer")]
[JsonDerivedType(typeof(DeviceReply), "device")]
[JsonDerivedType(typeof(PingReply), "ping")]
[JsonDerivedType(typeof(PingSummaryReply), "pingSummary")]
[JsonDerivedType(typeof(ProgressReply), "progress")]
[JsonDerivedType(typeof(SentReply), "sent")]
[JsonDerivedType(typeof(AskReply), "ask")]
[JsonDerivedType(typeof(ReceivedReply), "received")]
[JsonDerivedType(typeof(TunnelReply), "tunnel")]
[JsonDerivedType(typeof(OpenedReply), "opened")]
[JsonDerivedType(typeof(EndReply), "end")]
[JsonDerivedType(typeof(IdentityReply), "identity")]
[JsonDerivedType(typeof(ReadyReply), "ready")]
[JsonDerivedType(typeof(DemoReply), "demo")]
[JsonDerivedType(typeof(ChainReply), "chain")]
[JsonDerivedType(typeof(BalanceReply), "balance")]
[JsonDerivedType(typeof(PaymentReply), "payment")]
[JsonDerivedType(typeof(HistoryReply), "history")]
[JsonDerivedType(typeof(ProofReply), "proof")]
[JsonDerivedType(typeof(ChannelReply), "channel")]
[JsonDerivedType(typeof(PaidReply), "paid")]
[JsonDerivedType(typeof(ExportReply), "export")]
[JsonDerivedType(typeof(AcceptanceReply), "acceptance")]
[JsonDerivedType(typeof(RegistrationReply), "registration")]
[JsonDerivedType(typeof(NameReply), "name")]
internal abstract record ControlReply;

/// <summary>Something the user should know; the work goes on.</summary>
internal sealed record NoteReply(string Message) : ControlReply;

internal sealed record StatusReply(StatusReport Status) : ControlReply;

internal sealed record PeerReply(PeerReport Peer) : ControlReply;

internal sealed record DeviceReply(DeviceReport Device) : ControlReply;

/// <param name="Path"><c>direct</c> or <c>relay</c>, as the pong came.</param>
/// <param name="DialMs">From the question where the peer is to a session with it.</param>
internal sealed record PingReply(int Sequence, string Path, string Address, double RttMs, double DialMs) : ControlReply;

internal sealed record PingSummaryReply(int Sent, int Received, double MinMs, double AverageMs, double MaxMs) : ControlReply;

/// <param name="TotalBytes">Null when the size is not known.</param>
internal sealed record ProgressReply(long DoneBytes, long? TotalBytes, string Entry) : ControlReply;

/// <param name="Sha256">Of the file; of a folder, the SHA-256 of the listing <c>sha256sum</c> would print of its files, in order.</param>
/// <param name="Bytes">The size of what was sent, what the receiver had before included.</param>
/// <param name="ResumedBytes">What it had before.</param>
/// <param name="FirstByteMs">From the dial to the receiver's first byte.</param>
/// <param name="DirectMs">From the dial to the first chunk that left while the path was direct; null when none did.</param>
/// <param name="MBps">Megabytes (10^6) a second that went over the wire, from that byte until all was verified and in its place.</param>
internal sealed record SentReply(
    string? Sha256, string Path, string Address, double FirstByteMs, double? DirectMs, long Bytes, long ResumedBytes, [property: JsonPropertyName("MBps")] double MBps)
    : ControlReply;

/// <summary>A stranger offers something; the client answers with the question's number.</summary>
internal sealed record AskReply(int Question, string Peer, string Name, int Files, long? Bytes) : ControlReply;

/// <param name="Failure">Null when it is whole and at <paramref name="Path"/>.</param>
internal sealed record ReceivedReply(string Peer, string? Name, string? Path, long Bytes, string? Sha256, string? Failure) : ControlReply;

/// <summary>A service, forward or SOCKS port.</summary>
internal sealed record TunnelReply(TunnelReport Tunnel) : ControlReply;

/// <summary>A pipe is open: data follows, then the last line.</summary>
internal sealed record OpenedReply(string Peer, string Service) : ControlReply;

/// <summary>The last line: how it ended, and for every code but 0 a sentence that says what to do next.</summary>
internal sealed record EndReply(ExitCode ExitCode, string? Message = null) : ControlReply;

/// <param name="Mnemonic">Only from <c>init</c> that made one, and only once.</param>
internal sealed record IdentityReply(string TrustId, string Address, string Home, string? Mnemonic = null) : ControlReply;

internal sealed record ReadyReply(string TrustId, IReadOnlyList<string> Endpoints, double StartMs) : ControlReply;

internal sealed record DemoReply(
    string Sender, string Receiver, string Path, string Address, long Bytes, string Sha256, bool Sha256Equal,
    [property: JsonPropertyName("MBps")] double MBps, double TotalSeconds) : ControlReply;
