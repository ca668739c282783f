using Carrier.Core.Identity;

namespace Carrier.Node.Homes;

/// <summary>The context under which a device signs a <see cref="HomeProof"/>.</summary>
internal static class HomeSignature
{
    public static SignatureContext Context { get; } = new("home proof v1");
}
