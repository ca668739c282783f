namespace Carrier.Devnet.Rpc;

/// <summary>A refusal of a JSON-RPC call, in the node's numbers and words.</summary>
/// <param name="Code">The node's number.</param>
/// <param name="Message">The node's words.</param>
public sealed record RpcError(int Code, string Message)
{
    public const int InvalidRequest = -32600;
    public const int MethodNotFound = -32601;
    public const int Internal = -32603;
    public const int Parse = -32700;
    public const int InvalidParameters = 42002;
    public const int InvalidTransaction = 43001;
    public const int UnknownTransaction = 44001;
    public const int UnknownBlock = 44003;
    public const int UnknownConfirm = 44004;
    public const int Failed = 45002;
}

/// <summary>Ends a method with an error.</summary>
internal sealed class RpcException(int code, string message) : Exception(message)
{
    public RpcError Error { get; } = new(code, message);
}
