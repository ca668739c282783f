using System.Security.Cryptography;
using Carrier.Core;

namespace Carrier.Agent.State;

/// <summary>The operating system's generator.</summary>
internal sealed class SystemRandom : RandomSource
{
    public static readonly SystemRandom Instance = new();

    public override void Fill(Span<byte> destination) => RandomNumberGenerator.Fill(destination);
}
