using Carrier.Chain.Headers;
using Carrier.Chain.Networks;
using Carrier.Chain.Primitives;
using Carrier.Core;

namespace Carrier.Tests.Chain;

/// <summary>Makes sound headers on a private chain whose blocks cost nothing.</summary>
internal static class ForgedChain
{
    public const uint Spacing = 120;

    public static readonly UnixTime Now = new(1_900_000_000);

    public static (byte[] Core, byte[] Proof) Next(BlockHeader previous, uint salt = 0, Hash256 root = default, uint? time = null, int depth = 0)
    {
        var header = new BlockHeader(0, previous.Hash, root, time ?? (previous.Timestamp + Spacing), ChainNetwork.InstantBits, salt, previous.Height + 1);
        byte[] core = new byte[BlockHeader.Bytes];
        header.CopyTo(core);
        return (core, AuxPowBuilder.Build(header.Hash, header.Bits, header.Timestamp, depth));
    }

    public static BlockHeader Read(byte[] core) => BlockHeader.TryRead(core, out BlockHeader header) ? header : throw new FormatException();

    public static HeaderChain New() => new(HeaderTests.Network(), HeaderAnchor.AtGenesis(HeaderTests.Network().Genesis));

    /// <summary>Adds <paramref name="count"/> headers after one, and returns the last.</summary>
    public static BlockHeader Grow(HeaderChain chain, BlockHeader from, int count, uint salt = 0)
    {
        for (int i = 0; i < count; i++)
        {
            (byte[] core, byte[] proof) = Next(from, salt);
            HeaderVerdict verdict = chain.Add(core, proof, Now);
            Assert.True(verdict.Step is HeaderStep.Extended or HeaderStep.Branch or HeaderStep.Reorganised, $"{verdict.Step} {verdict.Rule.Name()}");
            from = Read(core);
        }

        return from;
    }
}
