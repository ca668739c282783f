using Carrier.Core;

namespace Carrier.Node.Relay;

/// <summary>How much a relay gives away. Tokens are bytes; a packet costs its bytes and <see cref="PacketCostBytes"/> more.</summary>
/// <remarks>What is over a budget is dropped and counted, as a full router queue would: congestion control at both ends then finds the rate.</remarks>
public sealed record RelayBudgets
{
    /// <summary>What handling a packet costs whatever its size, said in bytes, so that a flood of tiny packets pays too.</summary>
    public const int PacketCostBytes = 100;

    /// <summary>No limit but those of memory: for a relay that serves only its owner, and for measuring.</summary>
    public static RelayBudgets Unlimited { get; } = new()
    {
        Channel = TokenRate.Unlimited,
        Registration = TokenRate.Unlimited,
        SourceUnit = TokenRate.Unlimited,
        Global = TokenRate.Unlimited,
    };

    /// <summary>One channel, both directions together.</summary>
    public TokenRate Channel { get; init; } = new(8e6, 2e6);

    /// <summary>All channels of one registered device together.</summary>
    public TokenRate Registration { get; init; } = new(16e6, 4e6);

    /// <summary>All that one IPv4 /24 or IPv6 /48 sends.</summary>
    public TokenRate SourceUnit { get; init; } = new(32e6, 8e6);

    /// <summary>All that the relay forwards.</summary>
    public TokenRate Global { get; init; } = new(64e6, 16e6);
}
