using Carrier.Core;

namespace Carrier.Tests.Nat;

internal static class Addresses
{
    public static Endpoint Of(string text) => Endpoint.TryParse(text, out Endpoint endpoint) ? endpoint : throw new FormatException(text);

    public static Instant At(double seconds) => Instant.Zero + TimeSpan.FromSeconds(seconds);
}
