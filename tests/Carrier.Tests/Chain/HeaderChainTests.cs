using System.Numerics;
using Carrier.Chain.Headers;
using Carrier.Chain.Networks;
using Carrier.Chain.Storage;
using Carrier.Core.Identity;
using Carrier.Tests.Storage;

namespace Carrier.Tests.Chain;

public class HeaderChainTests
{
    [Fact]
    public void Add_follows_the_most_work_and_says_where_it_forked()
    {
        HeaderChain chain = ForgedChain.New();
        BlockHeader fork = ForgedChain.Grow(chain, chain.Tip.Header, 20);
        BlockHeader first = ForgedChain.Grow(chain, fork, 3, salt: 1);
        Assert.Equal(first.Hash, chain.Tip.Hash);

        BlockHeader second = ForgedChain.Grow(chain, fork, 3, salt: 2);
        Assert.Equal(first.Hash, chain.Tip.Hash); // as much work is not more
        (byte[] core, byte[] proof) = ForgedChain.Next(second, salt: 2);
        HeaderVerdict verdict = chain.Add(core, proof, ForgedChain.Now);
        Assert.Equal(new HeaderVerdict(HeaderStep.Reorganised, HeaderRule.None, fork.Height), verdict);
        Assert.False(chain.Contains(first.Height, first.Hash));
        Assert.True(chain.Contains(second.Height, second.Hash));

        // The branch that lost is kept and can win again.
        BlockHeader again = ForgedChain.Grow(chain, first, 2, salt: 1);
        Assert.Equal(again.Hash, chain.Tip.Hash);
        Assert.Equal(HeaderStep.Known, chain.Add(core, proof, ForgedChain.Now).Step);
    }

    [Fact]
    public void Add_refuses_to_rewrite_what_is_too_deep()
    {
        HeaderChain chain = ForgedChain.New();
        BlockHeader genesis = chain.Tip.Header;
        ForgedChain.Grow(chain, genesis, HeaderChain.MaxReorganisation + 5);
        (byte[] core, byte[] proof) = ForgedChain.Next(genesis, salt: 9);
        Assert.Contains(chain.Add(core, proof, ForgedChain.Now).Step, new[] { HeaderStep.TooDeep, HeaderStep.Orphan });
    }

    [Fact]
    public void Add_calls_a_header_without_a_known_predecessor_an_orphan()
    {
        HeaderChain chain = ForgedChain.New();
        (byte[] core, _) = ForgedChain.Next(chain.Tip.Header);
        (byte[] next, byte[] proof) = ForgedChain.Next(ForgedChain.Read(core));
        Assert.Equal(HeaderStep.Orphan, chain.Add(next, proof, ForgedChain.Now).Step);
    }

    [Fact]
    public void Checkpoint_binds_every_branch()
    {
        HeaderChain chain = ForgedChain.New();
        BlockHeader tip = ForgedChain.Grow(chain, chain.Tip.Header, 4);
        (byte[] wanted, byte[] wantedProof) = ForgedChain.Next(tip, salt: 1);
        (byte[] other, byte[] otherProof) = ForgedChain.Next(tip, salt: 2);
        chain.AddCheckpoint(5, ForgedChain.Read(wanted).Hash);
        Assert.Equal(HeaderRule.Checkpoint, chain.Add(other, otherProof, ForgedChain.Now).Rule);
        Assert.Equal(HeaderStep.Extended, chain.Add(wanted, wantedProof, ForgedChain.Now).Step);
    }

    [Fact]
    public void Retarget_is_demanded_at_its_height_and_nowhere_else()
    {
        ChainNetwork network = HeaderTests.Network() with { FirstBits = 0x207f_fffe };
        var chain = new HeaderChain(network, HeaderAnchor.AtGenesis(network.Genesis));
        BlockHeader previous = network.Genesis;
        for (uint height = 1; height <= 1441; height++)
        {
            // Twice as fast as it should be, in the first full period.
            uint expected = height < 720 ? 0x207f_fffe : height < 1440 ? chain.Tip.Header.Bits : chain.Tip.Header.Bits;
            if (height is 720 or 1440)
            {
                Assert.True(chain.TryGet(height - 720, out HeaderEntry first));
                expected = Difficulty.Retarget(previous.Bits, first.Header.Timestamp, previous.Timestamp);
                Assert.NotEqual(previous.Bits, expected);
                Assert.Equal(HeaderRule.Bits, chain.Check(chain.Tip, Core(Make(previous, previous.Bits)), Proof(Make(previous, previous.Bits)), ForgedChain.Now));
            }

            BlockHeader header = Make(previous, expected);
            Assert.Equal(HeaderRule.None, chain.Add(Core(header), Proof(header), ForgedChain.Now).Rule);
            previous = header;
        }

        static BlockHeader Make(BlockHeader previous, uint bits) =>
            new(0, previous.Hash, default, previous.Timestamp + (ForgedChain.Spacing / 2), bits, 0, previous.Height + 1);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Retarget_of_generated_chains_is_what_the_rule_says_period_after_period(int seed)
    {
        // The rule of the nodes, in numbers of its own: previous.time - time at (height - 719), clamped to a quarter and to four days, over a day.
        var random = new Random(seed);
        ChainNetwork network = HeaderTests.Network() with { FirstBits = 0x2010_ffff };
        var chain = new HeaderChain(network, HeaderAnchor.AtGenesis(network.Genesis));
        List<BlockHeader> headers = [network.Genesis];
        List<byte[]> proofs = [[]];
        uint bits = network.FirstBits;
        uint spacing = 120;
        for (uint height = 1; height <= 3 * Difficulty.RetargetBlocks; height++)
        {
            BlockHeader previous = headers[^1];
            if (height % Difficulty.RetargetBlocks == 0)
            {
                long taken = Math.Clamp((long)previous.Timestamp - headers[(int)height - Difficulty.RetargetBlocks].Timestamp, 21_600, 345_600);
                BigInteger target = new BigInteger(bits & 0x7fffff) << (8 * ((int)(bits >> 24) - 3));
                bits = Compact(BigInteger.Min(target * taken / 86_400, (BigInteger.One << 255) - 1));
                spacing = (uint)random.Next(20, 700);
            }

            var header = new BlockHeader(0, previous.Hash, default, previous.Timestamp + spacing + (uint)random.Next(3), bits, 0, height);
            headers.Add(header);
            proofs.Add(Proof(header));
            HeaderVerdict verdict = chain.Add(Core(header), proofs[^1], ForgedChain.Now);
            Assert.True(verdict.Step == HeaderStep.Extended, $"{height}: {verdict.Rule.Name()}");
        }

        // A chain that begins at a checkpoint retargets the same, though it never saw what is before.
        using var folder = new TemporaryFolder();
        using HeaderStore store = HeaderStore.Open(folder.File("headers.db"), network, HeaderAnchor.AtGenesis(network.Genesis));
        store.Save(chain);
        Assert.True(store.TryGetAnchor(Difficulty.RetargetBlocks, out HeaderAnchor? anchor));
        Assert.False(store.TryGetAnchor(Difficulty.RetargetBlocks + 1, out _));
        var late = new HeaderChain(network, anchor);
        foreach ((int height, BlockHeader header) in headers.Index().Skip(Difficulty.RetargetBlocks + 1))
        {
            Assert.Equal(HeaderStep.Extended, late.Add(Core(header), proofs[height], ForgedChain.Now).Step);
        }

        Assert.Equal((chain.Tip.Hash, chain.Tip.Work), (late.Tip.Hash, late.Tip.Work));

        static uint Compact(BigInteger target)
        {
            int bytes = target.GetByteCount(isUnsigned: true);
            uint mantissa = (uint)(target >> (8 * (bytes - 3)));
            return (mantissa & 0x800000) != 0 ? ((uint)(bytes + 1) << 24) | (mantissa >> 8) : ((uint)bytes << 24) | mantissa;
        }
    }

    [Fact]
    public void Store_that_began_earlier_goes_on_and_is_held_to_newer_checkpoints()
    {
        using var folder = new TemporaryFolder();
        ChainNetwork network = HeaderTests.Network();
        HeaderAnchor genesis = HeaderAnchor.AtGenesis(network.Genesis);
        HeaderAnchor checkpoint;
        using (HeaderStore store = HeaderStore.Open(folder.File("headers.db"), network, genesis))
        {
            HeaderChain chain = store.Load();
            ForgedChain.Grow(chain, chain.Tip.Header, 800);
            store.Save(chain);
            Assert.True(store.TryGetAnchor(Difficulty.RetargetBlocks, out checkpoint!));
        }

        // A later version of the program ships a checkpoint: the file there is stays good.
        using (HeaderStore store = HeaderStore.Open(folder.File("headers.db"), network, [genesis, checkpoint]))
        {
            HeaderChain chain = store.Load();
            Assert.Equal((0u, 800u), (store.Origin, chain.Tip.Header.Height));
            Assert.True(chain.TryGet(Difficulty.RetargetBlocks - 1, out HeaderEntry before));
            (byte[] core, byte[] proof) = ForgedChain.Next(before.Header, salt: 9);
            Assert.Equal(HeaderRule.Checkpoint, chain.Add(core, proof, ForgedChain.Now).Rule);
        }

        // A new file begins at it.
        using (HeaderStore fresh = HeaderStore.Open(folder.File("fresh.db"), network, [genesis, checkpoint]))
        {
            Assert.Equal(720u, fresh.Origin);
        }

        // And one that passes another block is refused.
        HeaderAnchor other = checkpoint with { Header = checkpoint.Header with { Nonce = 77 } };
        using HeaderStore wrong = HeaderStore.Open(folder.File("headers.db"), network, [genesis, other]);
        Assert.Throws<InvalidDataException>(wrong.Load);
    }

    [Fact]
    public void Add_allocates_nothing_for_a_header_that_extends_the_tip()
    {
        HeaderChain source = ForgedChain.New();
        List<(byte[], byte[])> headers = [];
        BlockHeader at = source.Tip.Header;
        for (int i = 0; i < 300; i++)
        {
            (byte[] core, byte[] proof) made = ForgedChain.Next(at, depth: i % 5);
            headers.Add(made);
            at = ForgedChain.Read(made.core);
        }

        HeaderChain chain = ForgedChain.New();
        foreach ((byte[] core, byte[] proof) in headers[..100])
        {
            _ = chain.Add(core, proof, ForgedChain.Now);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 100; i < headers.Count; i++)
        {
            _ = chain.Add(headers[i].Item1, headers[i].Item2, ForgedChain.Now);
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.Equal(at.Hash, chain.Tip.Hash);
        Assert.Equal(0, allocated);
    }

    [Fact]
    public void Locator_begins_at_the_tip_and_ends_at_the_oldest()
    {
        HeaderChain chain = ForgedChain.New();
        ForgedChain.Grow(chain, chain.Tip.Header, 200);
        Carrier.Chain.Primitives.Hash256[] locator = [.. chain.Locator()];
        Assert.Equal(chain.Tip.Hash, locator[0]);
        Assert.Equal(HeaderTests.Network().Genesis.Hash, locator[^1]);
        Assert.InRange(locator.Length, 12, 24);
        Assert.Equal(locator.Distinct().Count(), locator.Length);
    }

    [Fact]
    public void Store_resumes_where_it_was_saved_and_follows_reorganisations()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "headers.db");
        HeaderAnchor anchor = HeaderAnchor.AtGenesis(HeaderTests.Network().Genesis);
        HeaderChain chain = ForgedChain.New();
        BlockHeader fork = ForgedChain.Grow(chain, chain.Tip.Header, 40);
        using (HeaderStore store = HeaderStore.Open(path, HeaderTests.Network(), anchor))
        {
            Assert.Equal(0u, store.Load().Tip.Header.Height);
            ForgedChain.Grow(chain, fork, 2, salt: 1);
            store.Save(chain);
            ForgedChain.Grow(chain, fork, 4, salt: 2);
            store.Save(chain);
        }

        using (HeaderStore store = HeaderStore.Open(path, HeaderTests.Network(), anchor))
        {
            HeaderChain loaded = store.Load();
            Assert.Equal(chain.Tip, loaded.Tip);
            Assert.True(store.TryGet(fork.Height + 1, out BlockHeader header));
            Assert.Equal(2u, header.Nonce);
            ForgedChain.Grow(loaded, loaded.Tip.Header, 3);
            store.Save(loaded);
            Assert.Equal(47u, store.Load().Tip.Header.Height);
        }

        Assert.Throws<InvalidDataException>(() => HeaderStore.Open(path, ChainNetwork.Main, HeaderAnchor.AtGenesis(ChainNetwork.Main.Genesis)));
    }

    [Fact]
    public void Store_keeps_what_memory_forgot_and_resumes_with_the_same_work()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "headers.db");
        HeaderAnchor anchor = HeaderAnchor.AtGenesis(HeaderTests.Network().Genesis);
        HeaderChain chain = ForgedChain.New();
        using HeaderStore store = HeaderStore.Open(path, HeaderTests.Network(), anchor);
        for (int i = 0; i < 3; i++)
        {
            ForgedChain.Grow(chain, chain.Tip.Header, 2_000);
            store.Save(chain);
        }

        HeaderChain loaded = store.Load();
        Assert.Equal(chain.Tip, loaded.Tip);
        Assert.True(loaded.Lowest > 0);
        Assert.True(store.TryGet(17, out BlockHeader old));
        Assert.Equal(17u, old.Height);
    }

    [Fact]
    public void Store_refuses_a_damaged_file()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "headers.db");
        HeaderAnchor anchor = HeaderAnchor.AtGenesis(HeaderTests.Network().Genesis);
        using (HeaderStore store = HeaderStore.Open(path, HeaderTests.Network(), anchor))
        {
            HeaderChain chain = ForgedChain.New();
            ForgedChain.Grow(chain, chain.Tip.Header, 500);
            store.Save(chain);
        }

        byte[] bytes = File.ReadAllBytes(path);
        bytes.AsSpan(bytes.Length / 3, 3000).Fill(0xA5);
        File.WriteAllBytes(path, bytes);
        Assert.Throws<InvalidDataException>(() =>
        {
            using HeaderStore store = HeaderStore.Open(path, HeaderTests.Network(), anchor);
            _ = store.Load();
        });
    }

    [Fact]
    public void Shipped_checkpoints_are_signed_by_the_project_and_begin_at_genesis()
    {
        foreach (ChainNetwork network in new[] { ChainNetwork.Main, ChainNetwork.Test, ChainNetwork.Reg, ChainNetwork.Private("devnet", Carrier.Devnet.Blocks.Faucet.Owner) })
        {
            CheckpointFile? file = Checkpoints.Load(network.Name);
            Assert.Equal(network.Genesis, file!.Checkpoints[0].Header);
        }

        Assert.Null(Checkpoints.Load("private"));
        Assert.Equal(HeaderTests.Network().Genesis, Checkpoints.Newest(HeaderTests.Network()).Header);
    }

    [Fact]
    public void Checkpoint_file_reads_back_and_fails_on_any_change()
    {
        using OwnerKey signer = RedeemScriptTests.Key("alice");
        HeaderChain chain = ForgedChain.New();
        ForgedChain.Grow(chain, chain.Tip.Header, 730);
        Assert.True(chain.TryGet(720, out HeaderEntry at));
        var anchor = new HeaderAnchor(at.Header, at.Work, [.. Enumerable.Range(0, 10).Select(i => chain.TryGet(719 - (uint)i, out HeaderEntry e) ? e.Header.Timestamp : 0)]);
        byte[] file = new CheckpointFile("devnet", [anchor], new Carrier.Chain.Dpos.ArbiterSet(700, 4, [signer.PublicKey])).Sign(signer);

        Assert.True(CheckpointFile.TryParse(file, signer.PublicKey, out CheckpointFile? read));
        Assert.Equal(anchor.Header, read.Checkpoints[0].Header);
        Assert.Equal(4, read.Arbiters!.Seats);
        Assert.False(CheckpointFile.TryParse(file, RedeemScriptTests.Key("bob").PublicKey, out _));
        for (int i = 0; i < file.Length; i += 5)
        {
            byte[] changed = [.. file];
            changed[i] ^= 4;
            Assert.False(CheckpointFile.TryParse(changed, signer.PublicKey, out _), $"at {i}");
        }

        // A chain that begins there goes on exactly as the whole one.
        var thin = new HeaderChain(HeaderTests.Network(), read.Checkpoints[0]);
        for (uint height = 721; height <= chain.Tip.Header.Height; height++)
        {
            Assert.True(chain.TryGet(height, out HeaderEntry entry));
            Assert.Equal(HeaderRule.None, thin.Add(Core(entry.Header), Proof(entry.Header), ForgedChain.Now).Rule);
        }

        Assert.Equal(chain.Tip, thin.Tip);
    }

    private static byte[] Core(BlockHeader header)
    {
        byte[] core = new byte[BlockHeader.Bytes];
        header.CopyTo(core);
        return core;
    }

    private static byte[] Proof(BlockHeader header) => AuxPowBuilder.Build(header.Hash, header.Bits, header.Timestamp);
}
