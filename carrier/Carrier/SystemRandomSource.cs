using System.Security.Cryptography;
using Carrier.Core;

namespace Carrier;

/// <summary>The operating system's generator, for keys and everything else a node draws. Any number of threads may share it.</summary>
public sealed class SystemRandomSource : RandomSource
{
    private SystemRandomSource()
    {
    }

    public static SystemRandomSource Shared { get; } = new();

    public override void Fill(Span<byte> destination) => RandomNumberGenerator.Fill(destination);
}
