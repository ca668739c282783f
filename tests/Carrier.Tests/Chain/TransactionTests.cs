using System.Text.Json;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;
using Carrier.Core.Identity;

namespace Carrier.Tests.Chain;

public class TransactionTests
{
    public static TheoryData<string> Files => ["transactions.json", "channel.json"];

    [Theory]
    [MemberData(nameof(Files))]
    public void Recorded_transactions_read_and_encode_byte_for_byte(string file)
    {
        int count = 0;
        foreach ((string name, JsonElement entry) in Decoded(file))
        {
            count++;
            byte[] raw = entry.Hex("raw");
            Transaction read = ChainVectors.Parse(raw);
            Assert.True(raw.AsSpan().SequenceEqual(read.Encode()), name);
            Assert.Equal(entry.Text("unsigned"), Convert.ToHexStringLower(read.EncodeUnsigned()));
            Assert.Equal(entry.Text("txid"), read.Id.ToString());
            Assert.Equal(entry.Text("sighash"), Convert.ToHexStringLower(read.SigningHash.ToArray()));
            AssertFields(entry, read);
        }

        Assert.True(count > 25);
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Recorded_transactions_are_built_from_their_fields(string file)
    {
        foreach ((string name, JsonElement entry) in Decoded(file))
        {
            Assert.True(entry.Text("raw") == Convert.ToHexStringLower(Build(entry).Encode()), name);
        }
    }

    [Fact]
    public void Recorded_transactions_are_authorized_by_their_owners_and_nobody_else()
    {
        ProgramHash stranger = ProgramHash.FromTrustId(new TrustId(new byte[20]));
        foreach ((string name, JsonElement entry) in Decoded("transactions.json"))
        {
            Transaction transaction = ChainVectors.Parse(entry.Hex("raw"));
            ProgramHash[] owners = [.. entry.GetProperty("inputs").EnumerateArray().Select(input => Owner(input))];
            Assert.True(transaction.IsAuthorizedBy(owners), name);
            Assert.False(transaction.IsAuthorizedBy([.. owners, stranger]), name);
            Assert.False((transaction with { LockTime = transaction.LockTime + 1 }).IsAuthorizedBy(owners), name);
            Assert.False(transaction.WithPrograms().IsAuthorizedBy(owners), name);
        }
    }

    [Fact]
    public void Signing_gives_the_recorded_signatures_in_low_form()
    {
        foreach ((string name, JsonElement entry) in Decoded("transactions.json"))
        {
            Transaction transaction = ChainVectors.Parse(entry.Hex("raw"));
            foreach (JsonElement recorded in entry.GetProperty("signatures").EnumerateArray())
            {
                using OwnerKey key = RedeemScriptTests.Key(recorded.Text("signer"));
                byte[] signature = transaction.Sign(key);
                Assert.True(recorded.Hex("signature").AsSpan(0, 32).SequenceEqual(signature.AsSpan(0, 32)), name);
                Assert.True(key.PublicKey.VerifyTransaction(transaction.EncodeUnsigned(), signature));
                Assert.False(P256Scalar.Read(signature.AsSpan(32)).IsHigh);
            }
        }
    }

    [Fact]
    public void WithPrograms_orders_as_the_node_does()
    {
        JsonElement entry = ChainVectors.Transactions.GetProperty("programs_unsorted");
        Transaction sent = ChainVectors.Parse(entry.Hex("raw"));
        Assert.NotEqual(entry.Text("raw"), entry.Text("raw_on_chain"));
        Assert.Equal(entry.Text("raw_on_chain"), Convert.ToHexStringLower(sent.WithPrograms(sent.Programs).Encode()));
    }

    [Fact]
    public void Records_carry_type_and_content()
    {
        foreach (string name in new[] { "record", "record_empty", "record_long" })
        {
            JsonElement entry = ChainVectors.Transactions.GetProperty(name);
            Assert.True(RecordPayload.TryRead(ChainVectors.Parse(entry.Hex("raw")), out RecordPayload record));
            Assert.Equal(entry.Text("record_type"), Convert.ToHexStringLower(record.Type.Span));
            Assert.Equal(entry.Text("record_content"), Convert.ToHexStringLower(record.Content.Span));
            Assert.Equal(entry.Text("payload"), Convert.ToHexStringLower(record.Encode()));
        }
    }

    [Fact]
    public void TryParse_survives_every_truncation_and_bit_flip()
    {
        foreach (string name in new[] { "v9_1in_2out", "v0_1in_2out", "memo", "record", "spend_2of2_payee_payer" })
        {
            byte[] raw = ChainVectors.Transactions.GetProperty(name).Hex("raw");
            for (int length = 0; length < raw.Length; length++)
            {
                Assert.NotEqual(TransactionReading.Read, Transaction.TryParse(raw.AsSpan(0, length), out Transaction? none));
                Assert.Null(none);
            }

            for (int bit = 0; bit < raw.Length * 8; bit++)
            {
                byte[] flipped = [.. raw];
                flipped[bit / 8] ^= (byte)(1 << (bit % 8));
                if (Transaction.TryParse(flipped, out Transaction? transaction) == TransactionReading.Read)
                {
                    Assert.Equal(flipped, transaction!.Encode());
                }
            }
        }
    }

    [Fact]
    public void TryParse_refuses_amounts_that_cannot_exist()
    {
        Transaction good = ChainVectors.Parse(ChainVectors.Transactions.GetProperty("v9_1in_2out").Hex("raw"));
        byte[] raw = good.Encode();
        int at = raw.AsSpan().IndexOf(BitConverter.GetBytes(good.Outputs[0].Value.Value));
        foreach (long value in new[] { -1, long.MinValue, long.MaxValue, Sela.MaxSupply + 1, Sela.MaxSupply })
        {
            BitConverter.GetBytes(value).CopyTo(raw, at);
            Assert.Equal(TransactionReading.AmountOutOfRange, Transaction.TryParse(raw, out _));
        }
    }

    [Fact]
    public void TryParse_says_what_it_cannot_read()
    {
        byte[] raw = ChainVectors.Transactions.GetProperty("no_attributes").Hex("raw");
        Assert.Equal(TransactionReading.UnknownType, Transaction.TryParse([9, 0x25, .. raw[2..]], out _));
        Assert.Equal(TransactionReading.UnknownType, Transaction.TryParse([10, .. raw[1..]], out _));
        Assert.Equal(TransactionReading.Malformed, Transaction.TryParse([.. raw, 0], out _));
        byte[] attribute = [9, 2, 0, 1, 0x77, 0, .. raw[4..]];
        Assert.Equal(TransactionReading.UnknownAttribute, Transaction.TryParse(attribute, out _));
        byte[] giantCount = [9, 2, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F];
        Assert.Equal(TransactionReading.Malformed, Transaction.TryParse(giantCount, out _));
        byte[] longVarint = [9, 2, 0, 0xFD, 0, 0, .. raw[4..]];
        Assert.Equal(TransactionReading.Malformed, Transaction.TryParse(longVarint, out _));
    }

    [Theory]
    [InlineData(0u, 0u, 1u, true)]
    [InlineData(10u, 0u, 10u, false)]
    [InlineData(10u, 0u, 11u, true)]
    [InlineData(10u, Finality.FinalSequence, 1u, true)]
    [InlineData(10u, uint.MaxValue, 10u, false)]
    [InlineData(10u, Finality.LockedSequence, 10u, false)]
    public void IsFinalAt_follows_lock_time_and_sequence(uint lockTime, uint sequence, uint height, bool final)
    {
        var transaction = new Transaction { LockTime = lockTime, Inputs = [new(default, sequence)] };
        Assert.Equal(final, Finality.IsFinalAt(transaction, height));
    }

    [Fact]
    public void IsFinalAt_needs_every_input_to_lift_the_lock()
    {
        var transaction = new Transaction { LockTime = 10, Inputs = [new(default, Finality.FinalSequence), new(default, 0)] };
        Assert.False(Finality.IsFinalAt(transaction, 10));
    }

    [Fact]
    public void OutputLock_is_satisfied_as_recorded()
    {
        JsonElement entry = ChainVectors.Transactions.GetProperty("outputlock");
        uint outputLock = entry.GetProperty("output_lock").GetUInt32();
        foreach (JsonElement attempt in entry.GetProperty("cases").EnumerateArray())
        {
            Transaction spender = ChainVectors.Parse(attempt.Hex("raw"));
            Assert.Equal(attempt.GetProperty("accepted").GetBoolean(), Finality.SatisfiesOutputLock(spender, spender.Inputs[0], outputLock));
        }
    }

    private static IEnumerable<(string, JsonElement)> Decoded(string file) => ChainVectors.DecodedTransactions(ChainVectors.Load(file));

    private static void AssertFields(JsonElement entry, Transaction read)
    {
        Assert.Equal(entry.Number("version"), (int)read.Version);
        Assert.Equal(entry.Number("type"), (int)read.Type);
        Assert.Equal(entry.Number("lock_time"), read.LockTime);
        Assert.Equal(entry.GetProperty("attributes").GetArrayLength(), read.Attributes.Length);
        Assert.Equal(entry.GetProperty("programs").GetArrayLength(), read.Programs.Length);
        foreach ((int i, JsonElement output) in entry.GetProperty("outputs").EnumerateArray().Index())
        {
            Assert.Equal(output.Number("value"), read.Outputs[i].Value.Value);
            Assert.Equal(output.Text("address"), read.Outputs[i].Owner.ToString());
            Assert.Equal(output.Number("output_lock"), read.Outputs[i].OutputLock);
        }

        foreach ((int i, JsonElement input) in entry.GetProperty("inputs").EnumerateArray().Index())
        {
            Assert.Equal(input.Text("txid"), read.Inputs[i].Previous.TransactionId.ToString());
            Assert.Equal(input.Number("vout"), read.Inputs[i].Previous.Index);
            Assert.Equal(input.Number("sequence"), read.Inputs[i].Sequence);
        }
    }

    private static Transaction Build(JsonElement entry) => new()
    {
        Version = (TransactionVersion)entry.Number("version"),
        Type = (TransactionType)entry.Number("type"),
        PayloadVersion = (byte)entry.Number("payload_version"),
        Payload = entry.Hex("payload"),
        Attributes = [.. entry.GetProperty("attributes").EnumerateArray().Select(a => new TransactionAttribute((AttributeUsage)a.Number("usage"), a.Hex("data")))],
        Inputs = [.. entry.GetProperty("inputs").EnumerateArray().Select(i =>
            new TransactionInput(new OutPoint(i.Hash("txid"), (ushort)i.Number("vout")), (uint)i.Number("sequence")))],
        Outputs = [.. entry.GetProperty("outputs").EnumerateArray().Select(o => new TransactionOutput(new Sela(o.Number("value")), Owner(o), (uint)o.Number("output_lock")))],
        LockTime = (uint)entry.Number("lock_time"),
        Programs = [.. entry.GetProperty("programs").EnumerateArray().Select(p => new TransactionProgram(p.Hex("code"), p.Hex("parameter")))],
    };

    private static ProgramHash Owner(JsonElement element) => ProgramHash.TryFromBytes(element.Hex("program_hash"), out ProgramHash hash) ? hash : default;
}
