using System.Security.Cryptography;
using Carrier.Core;

namespace Carrier.Seed;

/// <summary>The operating system's generator.</summary>
internal sealed class SystemRandomness : RandomSource
{
    public override void Fill(Span<byte> destination) => RandomNumberGenerator.Fill(destination);
}
