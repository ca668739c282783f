using Carrier.Core;

namespace Carrier.Nat.PortMapping;

/// <summary>The protocols a gateway may speak, best first.</summary>
public enum PortMappingKind
{
    None,
    Pcp,
    NatPmp,
    Upnp,
}

/// <summary>An HTTP exchange the shell must do: connect, send, read one answer, close. Its end goes to <see cref="PortMappingMachine.HandleExchange"/>.</summary>
/// <param name="Id">Names the exchange.</param>
/// <param name="Host">The gateway's own address and a port.</param>
/// <param name="Request">All bytes to send.</param>
public readonly record struct HttpExchange(ulong Id, Endpoint Host, ReadOnlyMemory<byte> Request);

public enum PortMappingEffectKind
{
    /// <summary>Do <see cref="PortMappingEffect.Exchange"/>.</summary>
    Exchange,

    /// <summary>The port is reached at <see cref="PortMappingEffect.External"/> from now on; none when at no place.</summary>
    Changed,

    /// <summary>The gateway is itself behind a NAT: told once a gateway.</summary>
    DoubleNat,
}

/// <summary>What the machine wants done or told. Which members mean something, the kind says.</summary>
public readonly record struct PortMappingEffect(PortMappingEffectKind Kind)
{
    public HttpExchange Exchange { get; init; }

    public Endpoint External { get; init; }

    public PortMappingKind Protocol { get; init; }
}
