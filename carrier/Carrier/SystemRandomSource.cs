using System.Security.Cryptography;
using Carrier.Core;

namespace Carrier;

/// <summary>The operating system's generator.</summary>
internal sealed class SystemRandomSource : RandomSource
{
    public override void Fill(Span<byte> destination) => RandomNumberGenerator.Fill(destination);
}
