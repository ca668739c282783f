using Carrier.Core;

namespace Carrier.Tests.Crypto;

/// <summary>Bytes that count up from a start: predictable keys and nonces, so that vectors can be written down.</summary>
internal sealed class CountingRandom(byte start = 0) : RandomSource
{
    private uint _next = start;

    public override void Fill(Span<byte> destination)
    {
        foreach (ref byte b in destination)
        {
            b = (byte)(_next ^ (_next >> 8));
            _next++;
        }
    }
}
