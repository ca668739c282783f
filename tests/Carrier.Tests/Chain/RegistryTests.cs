using System.Collections.Immutable;
using Carrier.Chain.Access;
using Carrier.Chain.Blocks;
using Carrier.Chain.Headers;
using Carrier.Chain.Primitives;
using Carrier.Chain.Registry;
using Carrier.Chain.Scanning;
using Carrier.Chain.Transactions;
using Carrier.Chain.Wallet;
using Carrier.Core.Identity;
using Carrier.Tests.Storage;
using CsCheck;

namespace Carrier.Tests.Chain;

public class RegistryTests
{
    private static readonly OwnerKey Alice = RedeemScriptTests.Key("alice");
    private static readonly OwnerKey Bob = RedeemScriptTests.Key("bob");
    private static readonly Hash256 Salt = Hash256.Sha256([7]);

    [Fact]
    public void Records_read_back()
    {
        RegistryRecord[] records =
        [
            new(RegistryRecordKind.Register, Salt), new(RegistryRecordKind.Revoke, SerialFloor: 77), new(RegistryRecordKind.Commit, Salt),
            new(RegistryRecordKind.Reveal, Salt, Name: "alice"), new(RegistryRecordKind.Renew, Name: "alice"),
            new(RegistryRecordKind.Transfer, Name: "alice", NewOwner: Bob.TrustId),
        ];
        foreach (RegistryRecord record in records)
        {
            Transaction transaction = Signed(Alice, record);
            Assert.True(RegistryRecord.TryRead(transaction, out RegistryRecord? back));
            Assert.Equal(record, back);
            Assert.True(RegistryProof.TryGetAuthor(transaction, out TrustId author));
            Assert.Equal(Alice.TrustId, author);
            byte[] content = record.ToPayload().Content.ToArray();
            for (int length = 0; length < content.Length; length++)
            {
                RecordPayload cut = record.ToPayload() with { Content = content.AsMemory(0, length) };
                Assert.False(RegistryRecord.TryRead(new Transaction { Type = TransactionType.Record, Payload = cut.Encode() }, out _));
            }
        }
    }

    [Theory]
    [InlineData("alice", true)]
    [InlineData("a-1", true)]
    [InlineData("ab", false)]
    [InlineData("-ab", false)]
    [InlineData("ab-", false)]
    [InlineData("Alice", false)]
    [InlineData("xn--abc", false)]
    [InlineData("caf\u00e9", false)]
    [InlineData("a.b", false)]
    public void Names_are_plain_labels(string name, bool valid) => Assert.Equal(valid, RegistryName.IsValid(name));

    [Fact]
    public void Exists_answers_with_proof_and_height_and_a_revocation_never_falls()
    {
        var index = new RegistryIndex();
        Assert.Null(index.Exists(Alice.TrustId));
        Feed(index, 10, (Alice, new(RegistryRecordKind.Register, Salt)));
        Registration registration = index.Exists(Alice.TrustId)!;
        Assert.Equal((10u, Salt, 0ul), (registration.Height, registration.DelegationRoot, registration.SerialFloor));
        Assert.True(registration.Proof.Proved.IsSound);

        Feed(index, 11, (Alice, new(RegistryRecordKind.Revoke, SerialFloor: 9)), (Bob, new(RegistryRecordKind.Revoke, SerialFloor: 99)));
        Feed(index, 12, (Alice, new(RegistryRecordKind.Revoke, SerialFloor: 4)), (Alice, new(RegistryRecordKind.Register, Hash256.Sha256([1]))));
        Assert.Equal((12u, 9ul), (index.Exists(Alice.TrustId)!.Height, index.Exists(Alice.TrustId)!.SerialFloor));
        Assert.Null(index.Exists(Bob.TrustId));
    }

    [Fact]
    public void Name_goes_to_the_first_ripe_reveal_and_to_no_thief()
    {
        var index = new RegistryIndex();
        Feed(index, 100, (Alice, Commit(Alice)));
        Feed(index, 102, (Alice, Reveal)); // too early
        Assert.Null(index.Resolve("carrier", 102));
        // Bob saw the reveal and commits now; his must wait, and Alice's is first.
        Feed(index, 103, (Bob, Commit(Bob)), (Bob, Reveal), (Alice, Reveal));
        Feed(index, 106, (Bob, Reveal));
        NameEntry entry = index.Resolve("carrier", 106)!;
        Assert.Equal((Alice.TrustId, 103 + RegistryIndex.PeriodBlocks), (entry.Owner, entry.Expiry));
        Assert.Equal(103u, entry.Registered.Height);
    }

    [Fact]
    public void Old_commitment_is_worth_nothing()
    {
        var index = new RegistryIndex();
        Feed(index, 100, (Alice, Commit(Alice)));
        Feed(index, 101 + RegistryIndex.MaxCommitDepth, (Alice, Reveal));
        Assert.Null(index.Resolve("carrier", 101 + RegistryIndex.MaxCommitDepth));
    }

    [Fact]
    public void Only_the_owner_renews_and_transfers_and_expiry_frees()
    {
        RegistryIndex index = Owned(out uint expiry);
        Feed(index, 200, (Bob, new(RegistryRecordKind.Renew, Name: "carrier")), (Bob, new(RegistryRecordKind.Transfer, Name: "carrier", NewOwner: Bob.TrustId)));
        Assert.Equal((Alice.TrustId, expiry), (index.Resolve("carrier", 200)!.Owner, index.Resolve("carrier", 200)!.Expiry));

        Feed(index, 201, (Alice, new(RegistryRecordKind.Renew, Name: "carrier")));
        Assert.Equal(expiry + RegistryIndex.PeriodBlocks, index.Resolve("carrier", 201)!.Expiry);
        Feed(index, 202, (Alice, new(RegistryRecordKind.Transfer, Name: "carrier", NewOwner: Bob.TrustId)), (Alice, new(RegistryRecordKind.Renew, Name: "carrier")));
        NameEntry entry = index.Resolve("carrier", 203)!;
        Assert.Equal((Bob.TrustId, expiry + RegistryIndex.PeriodBlocks), (entry.Owner, entry.Expiry));

        Assert.NotNull(index.Resolve("carrier", entry.Expiry - 1));
        Assert.Null(index.Resolve("carrier", entry.Expiry));
        Feed(index, entry.Expiry, (Bob, new(RegistryRecordKind.Renew, Name: "carrier"))); // too late
        Assert.Null(index.Resolve("carrier", entry.Expiry));
    }

    [Fact]
    public void Renewals_do_not_reach_further_than_five_periods()
    {
        RegistryIndex index = Owned(out _);
        Feed(index, 300, [.. Enumerable.Repeat((Alice, new RegistryRecord(RegistryRecordKind.Renew, Name: "carrier")), 20)]);
        Assert.Equal(300 + (RegistryIndex.MaxPeriods * RegistryIndex.PeriodBlocks), index.Resolve("carrier", 300)!.Expiry);
    }

    [Fact]
    public void Rewind_is_as_if_the_blocks_had_never_been()
    {
        RegistryRecord[] kinds = [Commit(Alice), Reveal, new(RegistryRecordKind.Renew, Name: "carrier"), new(RegistryRecordKind.Transfer, Name: "carrier", NewOwner: Bob.TrustId), new(RegistryRecordKind.Register, Salt)];
        Gen.Int[0, 4].Array[1, 12].Sample(
            picks =>
            {
                var straight = new RegistryIndex();
                var wound = new RegistryIndex();
                foreach ((int i, int pick) in picks.Index())
                {
                    Feed(straight, (uint)(10 + (4 * i)), (Alice, kinds[pick]));
                    Feed(wound, (uint)(10 + (4 * i)), (Alice, kinds[pick]));
                }

                uint tip = straight.ScannedTo;
                Feed(wound, tip + 5, (Alice, Reveal), (Alice, new(RegistryRecordKind.Revoke, SerialFloor: 5)));
                wound.Rewind(tip);
                Assert.Equal(straight.Resolve("carrier", tip)?.Expiry, wound.Resolve("carrier", tip)?.Expiry);
                Assert.Equal(straight.Resolve("carrier", tip)?.Owner, wound.Resolve("carrier", tip)?.Owner);
                Assert.Equal(straight.Exists(Alice.TrustId)?.SerialFloor, wound.Exists(Alice.TrustId)?.SerialFloor);
            },
            iter: 30);
    }

    [Fact]
    public async Task Scanner_finds_what_is_on_the_chain_and_follows_a_reorganisation()
    {
        IReadOnlyList<Block> blocks = [.. FixtureNode.RecordedBlocks().Take(110)];
        Block registered = FixtureNode.Mine(blocks[^1], [Signed(Alice, new(RegistryRecordKind.Register, Salt))]);
        await using var node = new FixtureNode([.. blocks, registered]);
        using var folder = new TemporaryFolder();
        using ChainAccess access = ChainAccessTests.Open(folder, node);
        var index = new RegistryIndex();
        using ScanStore store = ScanStore.Open(folder.File("registry.db"), "reg");
        var scanner = new ChainScanner(access, index, store, from: 105);
        _ = await access.SyncAsync(CancellationToken.None);
        Assert.True(await scanner.ScanAsync(CancellationToken.None));
        Registration found = index.Exists(Alice.TrustId)!;
        Assert.Equal(110u, found.Height);
        Assert.True(access.IsOnChain(found.Height, found.Proof.Proved.Header.Hash));

        Block fork = FixtureNode.Mine(blocks[^1], [], salt: 5);
        node.SetBlocks([.. blocks, fork, FixtureNode.Mine(fork, [], salt: 5)]);
        _ = await access.SyncAsync(CancellationToken.None);
        Assert.True(await scanner.ScanAsync(CancellationToken.None));
        Assert.Null(index.Exists(Alice.TrustId));
        Assert.Equal(111u, index.ScannedTo);
    }

    [Fact]
    public async Task Scanner_goes_on_where_it_stopped_and_finds_the_same()
    {
        IReadOnlyList<Block> blocks = [.. FixtureNode.RecordedBlocks().Take(110)];
        Block registered = FixtureNode.Mine(blocks[^1], [Signed(Alice, new(RegistryRecordKind.Register, Salt))]);
        await using var node = new FixtureNode([.. blocks, registered]);
        using var folder = new TemporaryFolder();
        using ChainAccess access = ChainAccessTests.Open(folder, node);
        _ = await access.SyncAsync(CancellationToken.None);
        using (ScanStore store = ScanStore.Open(folder.File("registry.db"), "reg"))
        {
            Assert.True(await new ChainScanner(access, new RegistryIndex(), store, from: 105).ScanAsync(CancellationToken.None));
        }

        int requests = node.Requests;
        var index = new RegistryIndex();
        using (ScanStore store = ScanStore.Open(folder.File("registry.db"), "reg"))
        {
            Assert.True(await new ChainScanner(access, index, store, from: 105).ScanAsync(CancellationToken.None));
        }

        Assert.Equal(requests, node.Requests);
        Assert.Equal(110u, index.Exists(Alice.TrustId)!.Height);

        // And after a reorganisation that happened between.
        Block fork = FixtureNode.Mine(blocks[^1], [], salt: 5);
        node.SetBlocks([.. blocks, fork, FixtureNode.Mine(fork, [], salt: 5)]);
        _ = await access.SyncAsync(CancellationToken.None);
        index = new RegistryIndex();
        using ScanStore again = ScanStore.Open(folder.File("registry.db"), "reg");
        Assert.True(await new ChainScanner(access, index, again, from: 105).ScanAsync(CancellationToken.None));
        Assert.Null(index.Exists(Alice.TrustId));
        Assert.Equal((111u, 111u), (index.ScannedTo, again.ScannedTo));
    }

    [Fact]
    public void Proof_of_a_name_replays_to_the_same_owner_and_nothing_in_it_can_be_changed()
    {
        RegistryIndex index = Mined(
            (100, Alice, Commit(Alice)), (103, Alice, Reveal), (110, Alice, new(RegistryRecordKind.Renew, Name: "carrier")),
            (111, Alice, new(RegistryRecordKind.Transfer, Name: "carrier", NewOwner: Bob.TrustId)));
        NameEntry entry = index.Resolve("carrier", 111)!;
        byte[] file = RegistryProofFile.Write("devnet", entry.Proofs);
        Assert.Equal(InclusionVerdict.Sound, RegistryProofFile.Verify(file, out string network, out IReadOnlyList<RegistryProof> proofs));
        NameEntry replayed = RegistryIndex.Of(proofs).Resolve("carrier", 111)!;
        Assert.Equal(("devnet", Bob.TrustId, entry.Expiry), (network, replayed.Owner, replayed.Expiry));

        // Without its commitment a reveal shows nothing; out of order the records are refused.
        byte[] bare = RegistryProofFile.Write("devnet", [.. entry.Proofs.Skip(1)]);
        Assert.Equal(InclusionVerdict.Sound, RegistryProofFile.Verify(bare, out _, out proofs));
        Assert.Null(RegistryIndex.Of(proofs).Resolve("carrier", 111));
        Assert.Equal(InclusionVerdict.Malformed, RegistryProofFile.Verify(RegistryProofFile.Write("devnet", [.. entry.Proofs.Reverse()]), out _, out _));

        string text = System.Text.Encoding.ASCII.GetString(file);
        foreach (string member in new[] { "header", "transaction" })
        {
            char[] changed = text.ToCharArray();
            int at = text.IndexOf($"\"{member}\"", StringComparison.Ordinal) + member.Length + 40;
            changed[at] = changed[at] == '1' ? '2' : '1';
            Assert.NotEqual(InclusionVerdict.Sound, RegistryProofFile.Verify(System.Text.Encoding.ASCII.GetBytes(changed), out _, out _));
        }
    }

    [Fact]
    public void Proof_of_a_registration_carries_its_revocation_even_when_that_is_older()
    {
        RegistryIndex index = Mined(
            (10, Alice, new(RegistryRecordKind.Register, Salt)), (11, Alice, new(RegistryRecordKind.Revoke, SerialFloor: 9)),
            (12, Alice, new(RegistryRecordKind.Register, Hash256.Sha256([1]))));
        byte[] file = RegistryProofFile.Write("devnet", index.Exists(Alice.TrustId)!.Proofs);
        Assert.Equal(InclusionVerdict.Sound, RegistryProofFile.Verify(file, out _, out IReadOnlyList<RegistryProof> proofs));
        Registration replayed = RegistryIndex.Of(proofs).Exists(Alice.TrustId)!;
        Assert.Equal((12u, 9ul, Hash256.Sha256([1])), (replayed.Height, replayed.SerialFloor, replayed.DelegationRoot));
    }

    [Fact]
    public void Salt_of_a_commitment_is_kept_until_it_is_removed()
    {
        using var folder = new TemporaryFolder();
        Hash256 salt;
        using (NameSecrets secrets = NameSecrets.Open(folder.File("names.db")))
        {
            salt = secrets.GetOrMake(Alice.TrustId, "carrier", new Carrier.Simulation.SeededRandom(1), default);
        }

        using NameSecrets again = NameSecrets.Open(folder.File("names.db"));
        Assert.Equal(salt, again.GetOrMake(Alice.TrustId, "carrier", new Carrier.Simulation.SeededRandom(2), default));
        Assert.Equal(["carrier"], again.Names(Alice.TrustId));
        Assert.False(again.TryGet(Bob.TrustId, "carrier", out _));
        again.Remove(Alice.TrustId, "carrier");
        Assert.NotEqual(salt, again.GetOrMake(Alice.TrustId, "carrier", new Carrier.Simulation.SeededRandom(3), default));
    }

    [Fact]
    public async Task Scanner_is_not_fooled_by_a_node_that_leaves_a_transaction_out()
    {
        IReadOnlyList<Block> blocks = [.. FixtureNode.RecordedBlocks().Take(110)];
        await using var liar = new FixtureNode([.. blocks, FixtureNode.Mine(blocks[^1], [Signed(Alice, new(RegistryRecordKind.Register, Salt))])]);
        liar.Lie = (method, _, result) =>
        {
            if (method == "getblock" && result!["tx"]!.AsArray().Count == 2 && result["height"]!.GetValue<uint>() == 110)
            {
                result["tx"]!.AsArray().RemoveAt(1);
            }

            return result;
        };
        using var folder = new TemporaryFolder();
        using ChainAccess access = ChainAccessTests.Open(folder, liar);
        _ = await access.SyncAsync(CancellationToken.None);
        var index = new RegistryIndex();
        using ScanStore store = ScanStore.Open(folder.File("registry.db"), "reg");
        Assert.False(await new ChainScanner(access, index, store, from: 109).ScanAsync(CancellationToken.None));
        Assert.Equal(109u, index.ScannedTo);
    }

    private static RegistryRecord Reveal => new(RegistryRecordKind.Reveal, Salt, Name: "carrier");

    private static RegistryRecord Commit(OwnerKey owner) => new(RegistryRecordKind.Commit, RegistryRecord.Commitment(owner.TrustId, Salt, "carrier"));

    private static RegistryIndex Owned(out uint expiry)
    {
        var index = new RegistryIndex();
        Feed(index, 100, (Alice, Commit(Alice)));
        Feed(index, 103, (Alice, Reveal));
        expiry = index.Resolve("carrier", 103)!.Expiry;
        return index;
    }

    /// <summary>An index of records in blocks with proofs of work.</summary>
    private static RegistryIndex Mined(params (uint Height, OwnerKey Owner, RegistryRecord Record)[] records)
    {
        var index = new RegistryIndex();
        foreach ((uint height, OwnerKey owner, RegistryRecord record) in records)
        {
            Transaction transaction = Signed(owner, record);
            Block before = FixtureNode.RecordedBlocks()[0];
            Block block = FixtureNode.Mine(before with { Header = before.Header with { Height = height - 1 } }, [transaction]);
            index.Apply(height, [RegistryProof.From(new(transaction, block.Header, block.Proof, block.BranchOf(1)))!]);
        }

        return index;
    }

    private static Transaction Signed(OwnerKey owner, RegistryRecord record)
    {
        var transaction = new Transaction { Type = TransactionType.Record, Payload = record.ToPayload().Encode() };
        return transaction.WithPrograms(RedeemScript.Standard(owner.PublicKey).Program(transaction.Sign(owner)));
    }

    private static void Feed(RegistryIndex index, uint height, params (OwnerKey Owner, RegistryRecord Record)[] records)
    {
        ImmutableArray<Transaction> transactions = [.. records.Select(r => Signed(r.Owner, r.Record))];
        Hash256[] ids = [.. transactions.Select(transaction => transaction.Id)];
        var header = new BlockHeader(0, default, MerkleTree.Root(ids), 0, 0, 0, height);
        index.Apply(height, transactions.Select((transaction, i) => RegistryProof.From(new(transaction, header, default, MerkleTree.Branch(ids, i)))!));
    }
}
