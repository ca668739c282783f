using Carrier.Core.Session;

namespace Carrier.Node.Sessions;

/// <summary>What happened in a session and asks something of the node: it was confirmed, its peer calls, its path went silent.</summary>
internal readonly record struct SessionSignal(NodeSession Session, SessionEffectKind Kind);
