using System.Collections.Immutable;
using Carrier.Chain.Blocks;
using Carrier.Chain.Headers;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;

namespace Carrier.Chain.Networks;

/// <summary>Block 0: the registration of the asset and one coinbase that gives all 33,000,000 ELA to a foundation. Only the foundation differs between networks.</summary>
public static class Genesis
{
    /// <summary>What block 0 creates.</summary>
    public static readonly Sela Supply = Sela.FromEla(33_000_000);

    private const uint Timestamp = 1_513_936_800;
    private const uint Bits = 0x1D03_FFFF;
    private const uint Nonce = 2_083_236_893;
    private const byte CoinBasePayloadVersion = 4;

    /// <summary>The coinbase and the registration, in the block's order.</summary>
    public static ImmutableArray<Transaction> Transactions(ProgramHash foundation) => [CoinBase(foundation), Registration()];

    public static BlockHeader Create(ProgramHash foundation) => new(
        Version: 0,
        Previous: default,
        MerkleTree.Root([.. Transactions(foundation).Select(transaction => transaction.Id)]),
        Timestamp,
        Bits,
        Nonce,
        Height: 0);

    private static Transaction CoinBase(ProgramHash foundation) => new()
    {
        Version = TransactionVersion.V0,
        Type = TransactionType.CoinBase,
        PayloadVersion = CoinBasePayloadVersion,
        Payload = new byte[] { 0 },
        Attributes = [new(AttributeUsage.Nonce, Convert.FromHexString("4d65822107fcfd52"))],
        Inputs = [new(default)],
        Outputs = [new(Supply, foundation)],
    };

    private static Transaction Registration()
    {
        var payload = new ByteWriter();
        payload.WriteBytes("ELA"u8);
        payload.WriteBytes([]);
        payload.WriteByte(Sela.Decimals);
        payload.WriteSpan(new byte[sizeof(byte) + sizeof(byte) + sizeof(ulong) + ProgramHash.Bytes]); // types, amount and controller are zero
        return new Transaction { Version = TransactionVersion.V0, Type = TransactionType.RegisterAsset, Payload = payload.ToArray() };
    }
}
