using System.Text.Json;
using Carrier.Chain.Access;
using Carrier.Chain.Wallet;

namespace Carrier.Chain.Registry;

/// <summary>A file that proves to a third party, without any network, what the chain says of a TrustID or a name: every record behind it, each with its branch.</summary>
/// <remarks>
/// JSON: <c>format</c> "carrier-registry-proof 1", <c>network</c>, <c>records</c>: inclusion proofs in the chain's order. Whoever reads it replays them in an index of
/// their own. What no file can show: that a newer record (a revocation, a transfer), or an earlier reveal of the same name, does not exist.
/// </remarks>
public static class RegistryProofFile
{
    /// <summary>Longest file read.</summary>
    public const int MaxBytes = 4 << 20;

    /// <summary>Most records in a file: a name renewed or transferred more often is proved by none.</summary>
    public const int MaxRecords = 256;

    private const string Format = "carrier-registry-proof 1";
    private const int MaxDepth = 6;

    public static byte[] Write(string network, IReadOnlyCollection<RegistryProof> proofs)
    {
        ArgumentNullException.ThrowIfNull(proofs);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(proofs.Count, MaxRecords);
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes, new JsonWriterOptions { Indented = true }))
        {
            writer.WriteStartObject();
            writer.WriteString("format", Format);
            writer.WriteString("network", network);
            writer.WriteStartArray("records");
            foreach (RegistryProof proof in proofs)
            {
                InclusionProof.WriteTo(writer, network, proof.Proved);
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        return bytes.ToArray();
    }

    /// <summary>Reads a file and checks all that needs no other header: every branch, every block's own proof of work, every signature.</summary>
    /// <param name="file">The bytes.</param>
    /// <param name="network">The chain it speaks of.</param>
    /// <param name="proofs">The records, in the chain's order; to be replayed in a <see cref="RegistryIndex"/>.</param>
    public static InclusionVerdict Verify(ReadOnlySpan<byte> file, out string network, out IReadOnlyList<RegistryProof> proofs)
    {
        network = "";
        proofs = [];
        if (file.Length > MaxBytes)
        {
            return InclusionVerdict.Malformed;
        }

        try
        {
            using JsonDocument document = ForeignJson.Parse(file.ToArray(), MaxDepth);
            return VerifyObject(document.RootElement, out network, out proofs);
        }
        catch (JsonException)
        {
            return InclusionVerdict.Malformed;
        }
    }

    private static InclusionVerdict VerifyObject(JsonElement root, out string network, out IReadOnlyList<RegistryProof> proofs)
    {
        network = "";
        proofs = [];
        if (root.ValueKind != JsonValueKind.Object
            || !root.TryGetProperty("format", out JsonElement format) || format.ValueKind != JsonValueKind.String || format.GetString() != Format
            || !root.TryGetProperty("network", out JsonElement name) || name.ValueKind != JsonValueKind.String
            || !root.TryGetProperty("records", out JsonElement records) || records.ValueKind != JsonValueKind.Array
            || records.GetArrayLength() is 0 or > MaxRecords)
        {
            return InclusionVerdict.Malformed;
        }

        List<RegistryProof> read = [];
        foreach (JsonElement item in records.EnumerateArray())
        {
            InclusionVerdict verdict = InclusionProof.VerifyObject(item, out string chain, out ProvedTransaction? proved);
            if (verdict != InclusionVerdict.Sound)
            {
                return verdict;
            }

            if (chain != name.GetString() || RegistryProof.From(proved!) is not { } proof || (read.Count > 0 && !IsAfter(proof, read[^1])))
            {
                return InclusionVerdict.Malformed;
            }

            read.Add(proof);
        }

        network = name.GetString()!;
        proofs = read;
        return InclusionVerdict.Sound;
    }

    private static bool IsAfter(RegistryProof proof, RegistryProof earlier) =>
        proof.Height > earlier.Height || (proof.Height == earlier.Height && proof.Proved.Branch.Index > earlier.Proved.Branch.Index);
}
