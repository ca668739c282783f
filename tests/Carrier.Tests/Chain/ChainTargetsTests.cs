using Carrier.Fuzz.Targets;
using Carrier.Tests.Architecture;

namespace Carrier.Tests.Chain;

/// <summary>The fuzz targets over their golden bytes, cut and flipped.</summary>
public sealed class ChainTargetsTests
{
    private delegate void Target(ReadOnlySpan<byte> data);

    private static readonly Dictionary<string, Target> Targets = new()
    {
        [nameof(ChainTargets.Transactions)] = ChainTargets.Transactions,
        [nameof(ChainTargets.Blocks)] = ChainTargets.Blocks,
        [nameof(ChainTargets.Proofs)] = ChainTargets.Proofs,
        [nameof(ChainTargets.Confirms)] = ChainTargets.Confirms,
        [nameof(ChainTargets.RedeemScripts)] = ChainTargets.RedeemScripts,
        [nameof(ChainTargets.MerkleBlocks)] = ChainTargets.MerkleBlocks,
        [nameof(ChainTargets.PeerFrames)] = ChainTargets.PeerFrames,
        [nameof(ChainTargets.Amounts)] = ChainTargets.Amounts,
        [nameof(ChainTargets.InclusionProofs)] = ChainTargets.InclusionProofs,
        [nameof(ChainTargets.RegistryProofs)] = ChainTargets.RegistryProofs,
        [nameof(ChainTargets.CheckpointFiles)] = ChainTargets.CheckpointFiles,
        [nameof(ChainTargets.NodeBlocks)] = ChainTargets.NodeBlocks,
    };

    public static TheoryData<string> Names => [.. Targets.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Target_holds_on_truncations_and_flips(string name)
    {
        string[] golden = Directory.GetFiles(Path.Combine(Repository.Root, "tests", "Carrier.Fuzz", "Corpus", "Chain." + name), "golden-*");
        Assert.NotEmpty(golden);
        foreach (byte[] bytes in golden.Select(File.ReadAllBytes))
        {
            Targets[name](bytes);
            int step = 1 + (bytes.Length / 400);
            for (int length = 0; length < bytes.Length; length += step)
            {
                Targets[name](bytes.AsSpan(0, length));
            }

            for (int bit = 0; bit < bytes.Length * 8; bit += step * 3)
            {
                bytes[bit / 8] ^= (byte)(1 << (bit % 8));
                Targets[name](bytes);
                bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            }
        }
    }

    [Fact]
    public void Every_target_is_here() => Assert.Equal(
        typeof(ChainTargets).GetMethods(System.Reflection.BindingFlags.Public | System.Reflection.BindingFlags.Static).Select(method => method.Name).Order(StringComparer.Ordinal),
        Targets.Keys.Order(StringComparer.Ordinal));
}
