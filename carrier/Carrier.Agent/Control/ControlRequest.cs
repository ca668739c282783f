using System.Text.Json.Serialization;
using Carrier.Agent.Tunnels;

namespace Carrier.Agent.Control;

/// <summary>What a command asks of an agent: the first line of a connection to <c>control.sock</c>, one JSON object. One request a connection.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "op")]
[JsonDerivedType(typeof(StatusRequest), "status")]
[JsonDerivedType(typeof(PeersRequest), "peers")]
[JsonDerivedType(typeof(ResolveRequest), "resolve")]
[JsonDerivedType(typeof(PingRequest), "ping")]
[JsonDerivedType(typeof(SendRequest), "send")]
[JsonDerivedType(typeof(ReceiveRequest), "receive")]
[JsonDerivedType(typeof(ServeRequest), "serve")]
[JsonDerivedType(typeof(ForwardRequest), "forward")]
[JsonDerivedType(typeof(SocksRequest), "socks")]
[JsonDerivedType(typeof(PipeRequest), "pipe")]
[JsonDerivedType(typeof(ServicesRequest), "services")]
[JsonDerivedType(typeof(StopServiceRequest), "stopService")]
[JsonDerivedType(typeof(OpenChannelRequest), "openChannel")]
[JsonDerivedType(typeof(ChannelsRequest), "channels")]
[JsonDerivedType(typeof(PayRequest), "pay")]
[JsonDerivedType(typeof(CloseChannelRequest), "closeChannel")]
[JsonDerivedType(typeof(RefundRequest), "refund")]
[JsonDerivedType(typeof(ExportCloseRequest), "exportClose")]
internal abstract record ControlRequest
{
    public const int CurrentVersion = 1;

    /// <summary>The version of this protocol the client speaks.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>Whether data follows the request, as the conversation's input.</summary>
    [JsonIgnore]
    public virtual bool HasInput => false;
}

internal sealed record StatusRequest : ControlRequest;

internal sealed record PeersRequest : ControlRequest;

/// <param name="Peer">A TrustID in any of its forms.</param>
internal sealed record ResolveRequest(string Peer) : ControlRequest;

internal sealed record PingRequest(string Peer, int Count) : ControlRequest;

/// <param name="Path">An absolute path, or null: the data follows as the conversation's input.</param>
/// <param name="Name">What the receiver calls it; null for the file's own name.</param>
internal sealed record SendRequest(string Peer, string? Path, string? Name) : ControlRequest
{
    public override bool HasInput => Path is null;
}

/// <param name="Folder">An absolute path, or null for the agent's own choice.</param>
/// <param name="Allow">Whose files this conversation accepts without asking, beside the allow list; <c>all</c> for everybody's.</param>
/// <param name="Asks">Whether somebody is there to be asked about others.</param>
internal sealed record ReceiveRequest(string? Folder, IReadOnlyList<string> Allow, bool Once, bool Asks) : ControlRequest;

/// <summary>Publishes a service for as long as the conversation lasts.</summary>
/// <param name="Keep">Instead, until it is stopped, over restarts of the agent; the conversation ends at once.</param>
internal sealed record ServeRequest(ServiceDefinition Definition, bool Keep) : ControlRequest;

/// <inheritdoc cref="ServeRequest"/>
internal sealed record ForwardRequest(ForwardDefinition Definition, bool Keep) : ControlRequest;

/// <inheritdoc cref="ServeRequest"/>
internal sealed record SocksRequest(SocksDefinition Definition, bool Keep) : ControlRequest;

/// <summary>One connection to a service: the conversation's input and, behind an <see cref="OpenedReply"/>, its output.</summary>
internal sealed record PipeRequest(string Peer, string Service) : ControlRequest
{
    public override bool HasInput => true;
}

internal sealed record ServicesRequest : ControlRequest;

/// <param name="Id">Of a <see cref="TunnelReport"/>.</param>
internal sealed record StopServiceRequest(string Id) : ControlRequest;

/// <summary>The client's answer to an <see cref="AskReply"/>, a line of its own.</summary>
internal sealed record ControlAnswer(int Question, bool Yes);
