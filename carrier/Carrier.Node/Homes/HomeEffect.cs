namespace Carrier.Node.Homes;

/// <summary>What the home machine wants done.</summary>
public enum HomeEffectKind
{
    /// <summary>Put a sealed question, with a valid address token, to the home; report the outcome by <c>Answered</c> or <c>Failed</c>.</summary>
    Ask,

    /// <summary>The set of homes we are registered at changed: publish the device record again.</summary>
    HomesChanged,
}

/// <summary>One thing to do. <paramref name="Home"/>, <paramref name="Method"/> and <paramref name="Body"/> belong to <see cref="HomeEffectKind.Ask"/>.</summary>
public readonly record struct HomeEffect(HomeEffectKind Kind, HomeContact Home, HomeMethod Method, ReadOnlyMemory<byte> Body);
