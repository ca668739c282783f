using System.Collections.Immutable;
using System.Text.Json;
using Carrier.Chain.Access;
using Carrier.Chain.Blocks;
using Carrier.Chain.Headers;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;

namespace Carrier.Chain.Wallet;

/// <summary>A file that proves to a third party, without any network, that a transaction is in a block with proof of work.</summary>
/// <remarks>
/// JSON: <c>format</c> "carrier-inclusion 1", <c>network</c>, <c>height</c>, <c>header</c> (84 bytes), <c>auxpow</c>, <c>transaction</c> (all hex),
/// <c>index</c>, <c>count</c>, <c>branch</c> (hashes in internal order, from the leaf up). That the block is on the chain with the most work needs the headers;
/// <see cref="Verify"/> says what holds without them.
/// </remarks>
public static class InclusionProof
{
    /// <summary>Longest file read.</summary>
    public const int MaxBytes = 4 << 20;

    private const string Format = "carrier-inclusion 1";

    public static byte[] Write(string network, ProvedTransaction proved)
    {
        ArgumentNullException.ThrowIfNull(proved);
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes, new JsonWriterOptions { Indented = true }))
        {
            WriteTo(writer, network, proved);
        }

        return bytes.ToArray();
    }

    /// <summary>Writes the proof as one object of a larger document.</summary>
    internal static void WriteTo(Utf8JsonWriter writer, string network, ProvedTransaction proved)
    {
        byte[] core = new byte[BlockHeader.Bytes];
        proved.Header.CopyTo(core);
        writer.WriteStartObject();
        writer.WriteString("format", Format);
        writer.WriteString("network", network);
        writer.WriteNumber("height", proved.Header.Height);
        writer.WriteString("header", Convert.ToHexStringLower(core));
        writer.WriteString("auxpow", Convert.ToHexStringLower(proved.AuxPow.Span));
        writer.WriteString("transaction", Convert.ToHexStringLower(proved.Transaction.Encode()));
        writer.WriteNumber("index", proved.Branch.Index);
        writer.WriteNumber("count", proved.Branch.TransactionCount);
        writer.WriteStartArray("branch");
        foreach (Hash256 hash in proved.Branch.Hashes)
        {
            writer.WriteStringValue(hash.ToInternalString());
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    /// <summary>Reads a file and checks everything that needs no other header: the branch, and the block's own proof of work.</summary>
    public static InclusionVerdict Verify(ReadOnlySpan<byte> file, out string network, out ProvedTransaction? proved)
    {
        network = "";
        proved = null;
        if (file.Length > MaxBytes)
        {
            return InclusionVerdict.Malformed;
        }

        try
        {
            using JsonDocument document = ForeignJson.Parse(file.ToArray(), maxDepth: 4);
            return VerifyObject(document.RootElement, out network, out proved);
        }
        catch (JsonException)
        {
            return InclusionVerdict.Malformed;
        }
    }

    /// <summary>The same for one object of a larger document that <see cref="ForeignJson"/> parsed.</summary>
    internal static InclusionVerdict VerifyObject(JsonElement root, out string network, out ProvedTransaction? proved)
    {
        proved = null;
        if (Read(root, out network) is not { } read)
        {
            return InclusionVerdict.Malformed;
        }

        if (!read.IsSound)
        {
            return InclusionVerdict.NotInBlock;
        }

        proved = read;
        return Difficulty.TryToTarget(read.Header.Bits, out Hash256 target)
            && AuxPow.TryParse(read.AuxPow.Span, out AuxPow pow)
            && pow.Check(read.Header.Hash, target) == HeaderRule.None
                ? InclusionVerdict.Sound
                : InclusionVerdict.NoProofOfWork;
    }

    private static ProvedTransaction? Read(JsonElement root, out string network)
    {
        network = "";
        if (root.ValueKind != JsonValueKind.Object || Text(root, "format") != Format || Text(root, "network") is not { } name
            || Hex(root, "header") is not { Length: BlockHeader.Bytes } core || !BlockHeader.TryRead(core, out BlockHeader header)
            || Number(root, "height") != header.Height
            || Hex(root, "auxpow") is not { } auxPow
            || Hex(root, "transaction") is not { } raw || Transaction.TryParse(raw, out Transaction? transaction) != TransactionReading.Read
            || Number(root, "index") is not { } index || Number(root, "count") is not { } count || index > int.MaxValue || count > int.MaxValue
            || !root.TryGetProperty("branch", out JsonElement branch) || branch.ValueKind != JsonValueKind.Array || branch.GetArrayLength() > AuxPow.MaxBranch)
        {
            return null;
        }

        var hashes = ImmutableArray.CreateBuilder<Hash256>();
        foreach (JsonElement item in branch.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.String || !Hash256.TryParseInternal(item.GetString(), out Hash256 hash))
            {
                return null;
            }

            hashes.Add(hash);
        }

        network = name;
        return new ProvedTransaction(transaction!, header, auxPow, new MerkleBranch((int)count, (int)index, hashes.ToImmutable()));
    }

    private static string? Text(JsonElement root, string name) =>
        root.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static byte[]? Hex(JsonElement root, string name) => root.TryGetProperty(name, out JsonElement value) ? BlockSummary.ReadHex(value) : null;

    private static uint? Number(JsonElement root, string name) =>
        root.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number && value.TryGetUInt32(out uint number) ? number : null;
}

/// <summary>What <see cref="InclusionProof.Verify"/> found.</summary>
public enum InclusionVerdict
{
    /// <summary>The transaction is in the block, and the block has the work its bits ask for. Whether the block is on the chain is a question to the headers.</summary>
    Sound,

    Malformed,

    /// <summary>The branch does not lead to the block.</summary>
    NotInBlock,

    /// <summary>The block's proof of work does not hold.</summary>
    NoProofOfWork,
}
