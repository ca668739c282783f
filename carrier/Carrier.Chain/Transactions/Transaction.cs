using System.Collections.Immutable;
using Carrier.Chain.Primitives;
using Carrier.Core.Identity;

namespace Carrier.Chain.Transactions;

/// <summary>A transaction of the ELA main chain. Immutable; <c>with</c> makes a changed copy.</summary>
/// <remarks>
/// <code>
///  version 09 (absent in the old format) | type 1 | payload version 1 | payload
///  varint n, n × ( usage 1 | bytes )                                                    attributes
///  varint n, n × ( txid 32 | vout 2 | sequence 4 )                                      inputs
///  varint n, n × ( asset 32 | value 8 | output lock 4 | program hash 21 [ type 1 = 00 ] )   outputs; the type in version 9 only
///  lock time 4
///  ---- so far the unsigned part: sighash = SHA256(it), txid = SHA256(sighash) ----
///  varint n, n × ( bytes parameter | bytes code )                                       programs
/// </code>
/// Numbers are little-endian. A first byte below 09 is the type of an old-format transaction. Signatures do not change the id.
/// </remarks>
public sealed record Transaction
{
    private Hash256? _signingHash;
    private Hash256? _id;

    public Transaction()
    {
    }

    // A copy is changed by `with` after this ran: what was computed of the original must not go with it.
    private Transaction(Transaction original)
    {
        Version = original.Version;
        Type = original.Type;
        PayloadVersion = original.PayloadVersion;
        Payload = original.Payload;
        Attributes = original.Attributes;
        Inputs = original.Inputs;
        Outputs = original.Outputs;
        LockTime = original.LockTime;
        Programs = original.Programs;
    }

    public TransactionVersion Version { get; init; } = TransactionVersion.V9;

    public TransactionType Type { get; init; } = TransactionType.TransferAsset;

    public byte PayloadVersion { get; init; }

    /// <summary>The payload as encoded; empty for a transfer.</summary>
    public ReadOnlyMemory<byte> Payload { get; init; }

    public ImmutableArray<TransactionAttribute> Attributes { get; init; } = [];

    public ImmutableArray<TransactionInput> Inputs { get; init; } = [];

    public ImmutableArray<TransactionOutput> Outputs { get; init; } = [];

    /// <summary>A block height, never a time; see <see cref="Finality"/>.</summary>
    public uint LockTime { get; init; }

    public ImmutableArray<TransactionProgram> Programs { get; init; } = [];

    /// <summary>What signatures are made over, after one more SHA-256 by the signer: SHA256(unsigned).</summary>
    public Hash256 SigningHash => _signingHash ??= Hash256.Sha256(EncodeUnsigned());

    public Hash256 Id => _id ??= Hash256.DoubleSha256(EncodeUnsigned());

    public bool IsCoinBase => Type == TransactionType.CoinBase;

    /// <summary>The sum of the outputs; parsed transactions and those whose sum was checked when built stay below the supply.</summary>
    public Sela OutputTotal
    {
        get
        {
            Sela total = Sela.Zero;
            foreach (TransactionOutput output in Outputs)
            {
                total += output.Value;
            }

            return total;
        }
    }

    /// <summary>Reads exactly one transaction.</summary>
    public static TransactionReading TryParse(ReadOnlySpan<byte> encoded, out Transaction? transaction)
    {
        var reader = new ByteReader(encoded);
        TransactionReading reading = TransactionFormat.TryRead(ref reader, out transaction);
        if (reading == TransactionReading.Read && !reader.AtEnd)
        {
            transaction = null;
            return TransactionReading.Malformed;
        }

        return reading;
    }

    /// <summary>Reads a transaction that others may follow.</summary>
    public static TransactionReading TryRead(ref ByteReader reader, out Transaction? transaction) => TransactionFormat.TryRead(ref reader, out transaction);

    /// <summary>The part that is signed and hashed to the id.</summary>
    public byte[] EncodeUnsigned()
    {
        var writer = new ByteWriter();
        TransactionFormat.WriteUnsigned(writer, this);
        return writer.ToArray();
    }

    public byte[] Encode()
    {
        var writer = new ByteWriter();
        TransactionFormat.Write(writer, this);
        return writer.ToArray();
    }

    /// <summary>Signs the unsigned part: 64 bytes r ‖ s, RFC 6979, <c>s</c> in the low half.</summary>
    public byte[] Sign(OwnerKey key)
    {
        ArgumentNullException.ThrowIfNull(key);
        byte[] signature = new byte[OwnerPublicKey.SignatureBytes];
        key.SignTransaction(EncodeUnsigned(), signature);
        return signature;
    }

    /// <summary>The same transaction with these programs, in the order nodes store them: by code hash read as a little-endian number.</summary>
    public Transaction WithPrograms(params IEnumerable<TransactionProgram> programs) =>
        this with { Programs = [.. programs.Order(ProgramOrder.Instance)] };

    /// <summary>True when the programs entitle to spend the inputs of <paramref name="owners"/>: one valid program for each distinct owner, and no other.</summary>
    /// <param name="owners">The owners of the outputs the inputs spend, in any order, repeated as they come.</param>
    public bool IsAuthorizedBy(IEnumerable<ProgramHash> owners)
    {
        HashSet<ProgramHash> missing = [.. owners];
        if (missing.Count != Programs.Length)
        {
            return false;
        }

        byte[] unsigned = EncodeUnsigned();
        foreach (TransactionProgram program in Programs)
        {
            if (!RedeemScript.TryParse(program.Code.Span, out RedeemScript? script)
                || !missing.Remove(script.ProgramHash)
                || !script.Verify(unsigned, program.Parameter.Span))
            {
                return false;
            }
        }

        return true;
    }

    public bool Equals(Transaction? other) => other is not null && Encode().AsSpan().SequenceEqual(other.Encode());

    public override int GetHashCode() => Id.GetHashCode();

    public override string ToString() => $"Transaction {Id}";
}
