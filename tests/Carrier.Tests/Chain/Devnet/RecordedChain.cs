using System.Text.Json.Nodes;
using Carrier.Chain.Blocks;
using Carrier.Core;
using Carrier.Devnet.Blocks;

namespace Carrier.Tests.Chain.Devnet;

/// <summary>The recorded chain, fed to a devnet: the same genesis, the same blocks, as far as wanted.</summary>
internal sealed class RecordedChain : IDisposable
{
    /// <summary>Just after the last recorded block was made.</summary>
    public static readonly UnixTime Now = new(1_795_354_000);

    private readonly Block[] _blocks;

    public RecordedChain()
    {
        _blocks = [.. Lines("chain.jsonl").Select(line => Read(line["raw"]!.GetValue<string>()))];
        Chain = new DevnetChain("regnet", _blocks[0].Transactions[0].Outputs[0].Owner);
    }

    public DevnetChain Chain { get; }

    /// <summary>The recorded block at a height.</summary>
    public Block this[uint height] => _blocks[height];

    public static IEnumerable<JsonNode> Lines(string file) =>
        File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Vectors", "ela", file)).Select(line => JsonNode.Parse(line)!);

    public static JsonNode Document(string file) =>
        JsonNode.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Vectors", "ela", file)))!;

    /// <summary>Brings the chain to a height with the recorded blocks.</summary>
    public void AdvanceTo(uint height)
    {
        while (Chain.Height < height)
        {
            Assert.Equal(BlockVerdict.Connected, Chain.Add(_blocks[Chain.Height + 1], Now));
        }
    }

    public void Dispose() => Chain.Dispose();

    private static Block Read(string hex)
    {
        Assert.Equal(BlockReading.Read, Block.TryParse(Convert.FromHexString(hex), out Block? block));
        return block!;
    }
}
