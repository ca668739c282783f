using Carrier.Core;
using Carrier.Core.Crypto;
using Carrier.Dht.Routing;

namespace Carrier.Dht.Rpc;

/// <summary>Names one call of ours, from <see cref="RpcMachine.TryAsk"/> to its <see cref="RpcEffect"/>.</summary>
public readonly record struct CallId(ulong Value);

/// <summary>A question somebody asked us and that still wants an answer. Answer it or forget it: nothing is kept for it.</summary>
/// <param name="Asker">The ephemeral key the question came from and the answer is sealed to; it names no identity.</param>
/// <param name="CallId">The asker's name for the call.</param>
/// <param name="Remote">Where it came from; forgeable unless <paramref name="AddressProven"/>.</param>
/// <param name="Method">0–15 the DHT's, 16 and up the node's.</param>
/// <param name="AddressProven">It carried a valid address token: the asker receives at <paramref name="Remote"/>.</param>
/// <param name="DatagramBytes">How long the question was: what an answer may not exceed while the address is not proven.</param>
public readonly record struct Question(PublicKey Asker, ulong CallId, Endpoint Remote, int Method, bool AddressProven, int DatagramBytes)
{
    /// <summary>The asker as a contact when it serves itself and its address is proven; not yet shown to answer there.</summary>
    public Contact? Introduces { get; init; }
}

/// <summary>How a question wants to be asked.</summary>
[Flags]
public enum AskOptions
{
    None = 0,

    /// <summary>The answer may be long: pad the question to <see cref="RpcMachine.PaddedQuestionBytes"/> while no address token is known.</summary>
    LargeAnswer = 1,

    /// <summary>Never send it twice: the method is not idempotent.</summary>
    Once = 2,

    /// <summary>The body proves the address already (a write token): leave the address token out and the room to the body.</summary>
    NoToken = 4,

    /// <summary>Tell the receiver who serves here, so that it may try us for its table.</summary>
    Introduce = 8,

    /// <summary>The receiver has work to do before it can answer: it is given <see cref="RpcMachine.MaxPatience"/>, does not stall, and what it takes is no round trip.</summary>
    Slow = 16,
}

/// <summary>Why the other side did not answer what was asked.</summary>
public enum Refusal
{
    None = 0,

    /// <summary>The answer needs a proven address: ask again with the token that came with this refusal. <see cref="RpcMachine"/> does so once by itself.</summary>
    AddressNotProven = 1,

    /// <summary>Over a limit; try another node.</summary>
    Busy = 2,

    UnknownMethod = 3,

    Malformed = 4,

    /// <summary>This node serves no such thing.</summary>
    NotServing = 5,

    /// <summary>The method's own conditions do not hold for this asker.</summary>
    NotAuthorized = 6,
}

public enum CallFailure
{
    None,
    TimedOut,

    /// <summary>The peer answered with a <see cref="Refusal"/>.</summary>
    Refused,

    /// <summary>The peer's answer could be opened but not parsed: it is proven to misbehave.</summary>
    Malformed,

    /// <summary>The peer's key is no usable X25519 key, or the question does not fit a datagram.</summary>
    CannotSeal,
}

public enum RpcEffectKind
{
    /// <summary>A peer asks; <see cref="RpcEffect.Question"/> and <see cref="RpcEffect.Body"/> are set.</summary>
    Asked,

    /// <summary>Our call was answered; <see cref="RpcEffect.Call"/>, <see cref="RpcEffect.Peer"/>, <see cref="RpcEffect.Remote"/>,
    /// <see cref="RpcEffect.Observed"/> and <see cref="RpcEffect.Body"/> are set.</summary>
    Answered,

    /// <summary>Our call is slower than this peer usually is. It may still be answered until it fails; go on without it.</summary>
    Stalled,

    /// <summary>Our call is over without an answer; <see cref="RpcEffect.Failure"/> and perhaps <see cref="RpcEffect.Refusal"/> say why.</summary>
    Failed,
}

/// <summary>What came of the calls and questions of a node.</summary>
/// <remarks><see cref="Body"/> lies in a pooled buffer of the machine: it is valid until the next <c>TryEffect</c>. Copy what must live longer.</remarks>
public readonly record struct RpcEffect(RpcEffectKind Kind, CallId Call)
{
    public Question Question { get; init; }

    public PublicKey Peer { get; init; }

    public Endpoint Remote { get; init; }

    /// <summary>Our own address as the peer saw it.</summary>
    public Endpoint Observed { get; init; }

    /// <summary>The answerer as a contact when it says it serves; it answered there, so it may enter a table.</summary>
    public Contact? Serves { get; init; }

    public CallFailure Failure { get; init; }

    public Refusal Refusal { get; init; }

    /// <summary>One CBOR item, as the method says.</summary>
    public ReadOnlyMemory<byte> Body { get; init; }
}
