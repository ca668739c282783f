namespace Carrier.Node;

/// <summary>Codes a node itself closes sessions with, in the application's space from 2^32 up so that no application's own collide.</summary>
public static class NodeCloseCode
{
    /// <summary>The protocol the initiator named is not listened to.</summary>
    public const ulong ProtocolNotSpoken = (1UL << 32) + 1;

    /// <summary>The node stops.</summary>
    public const ulong NodeStopped = (1UL << 32) + 2;

    /// <summary>The application that answered failed.</summary>
    public const ulong HandlerFailed = (1UL << 32) + 3;
}
