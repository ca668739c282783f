using System.IO.Pipelines;
using Carrier.Agent.Channels;
using Carrier.Agent.Network;
using Carrier.Agent.State;
using Carrier.Chain.Blocks;
using Carrier.Chain.Channels;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;
using Carrier.Core.Identity;
using Carrier.Tests.Chain;
using Carrier.Tests.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using static Carrier.Tests.Chain.Channels.ChannelFixture;

namespace Carrier.Tests.Agent.Channels;

/// <summary>The channels of an agent within their bounds, whoever proposes them.</summary>
public sealed class ChannelServiceTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly MemoryNetwork _network = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Proposals_without_funding_are_refused_beyond_their_bound_and_forgotten_after_their_time()
    {
        List<Block> blocks = [.. FixtureNode.RecordedBlocks()];
        await using var chain = new FixtureNode(blocks);
        OwnerKey payee = KeyOf(2);
        await using MemoryNetwork.Node payeeNode = _network.Join(payee.PublicKey.TrustId);
        await using ChannelService service = await StartAsync(payeeNode, payee, chain);
        List<ChannelRefusal> answers = [];
        for (byte peer = 0; answers.Count < ChannelService.MaxUnfunded; peer++)
        {
            answers.AddRange(await ProposeAsync(peer, payee.PublicKey, answers.Count == 0 ? ChannelService.MaxOfPeer + 1 : ChannelService.MaxOfPeer));
        }

        // One more than a single peer may have was asked for, and refused.
        Assert.Equal([ChannelRefusal.NotNow], answers.Where(answer => answer != ChannelRefusal.None));
        Assert.Equal(ChannelService.MaxUnfunded, service.Reports().Count());
        Assert.Equal([ChannelRefusal.NotNow], await ProposeAsync(byte.MaxValue, payee.PublicKey, 1));
        Assert.Equal(ChannelService.MaxUnfunded, service.Reports().Count());

        // Their time begins at the first look, which the last of them had not had yet when the first blocks came.
        for (Task round = service.Desk.Rounds.Next; service.Reports().Any(); round = service.Desk.Rounds.Next)
        {
            Mine(blocks, ChannelLimits.FundingPatience);
            chain.SetBlocks(blocks);
            service.Desk.Hurry();
            await round.WaitAsync(Cancel);
        }

        Assert.Equal([ChannelRefusal.None], await ProposeAsync(byte.MaxValue, payee.PublicKey, 1));
    }

    /// <summary>A payee that takes channels of anybody, once it has seen the chain.</summary>
    private async Task<ChannelService> StartAsync(INetwork node, OwnerKey owner, FixtureNode chain)
    {
        AgentHome home = AgentHome.At(_folder.File("payee"));
        home.Ensure();
        new ChannelSettings { Accept = new ChannelAcceptance { From = [ChannelAcceptance.Anybody], AlwaysOn = true, Confirmations = 1 } }.Save(home);
        var choice = new ChainChoice("devnet", HeaderTests.Foundation, [$"http://user:pass@{chain.Endpoint.Address.Authority}"]);
        ChannelService service = await ChannelService.StartAsync(home, node, new KeystoreContents { Owner = owner }, choice, NullLogger.Instance, Cancel);
        for (Task round = service.Desk.Rounds.Next; service.Desk.Standing is null; round = service.Desk.Rounds.Next)
        {
            service.Desk.Hurry();
            await round.WaitAsync(Cancel);
        }

        return service;
    }

    /// <summary>Proposes channels of one peer, each on a stream of its own; what each was answered.</summary>
    private async Task<List<ChannelRefusal>> ProposeAsync(byte number, OwnerPublicKey payee, int channels)
    {
        using OwnerKey key = KeyOf((byte)(number ^ 0x80));
        await using MemoryNetwork.Node peer = _network.Join(key.PublicKey.TrustId);
        List<ChannelRefusal> answers = [];
        for (uint i = 0; i < channels; i++)
        {
            await using IPeerSession session = await peer.ConnectAsync(payee.TrustId, ChannelListener.Protocol, Cancel);
            IDuplexPipe stream = await session.OpenStreamAsync(Cancel);
            answers.Add(await AskAsync(stream, Proposal(key.PublicKey, payee, i)));
            await stream.Output.CompleteAsync();
            await stream.Input.CompleteAsync();
        }

        return answers;
    }

    private static void Mine(List<Block> blocks, uint count)
    {
        for (uint i = 0; i < count; i++)
        {
            blocks.Add(FixtureNode.Mine(blocks[^1], []));
        }
    }

    private static OpenMessage Proposal(OwnerPublicKey payer, OwnerPublicKey payee, uint number)
    {
        var terms = new ChannelTerms(payer, payee, new Sela(10_000_000), new Sela(ChannelLimits.DefaultFee), 1_000);
        var funding = new Transaction
        {
            Inputs = [new TransactionInput(new OutPoint(Hash256.Sha256(BitConverter.GetBytes(number)), 0))],
            Outputs = [.. ChannelTransactions.FundingOutputs(terms)],
        };
        var transactions = new ChannelTransactions(terms, funding.Id);
        return new OpenMessage(funding.Id, terms, funding.Encode(), transactions.Gate.Encode(), transactions.Refund.Encode());
    }

    private static async Task<ChannelRefusal> AskAsync(IDuplexPipe stream, OpenMessage open)
    {
        await stream.Output.WriteMessageAsync(open, Cancel);
        while (true)
        {
            ChannelMessage? message = await stream.Input.ReadMessageAsync(Cancel);
            Assert.NotNull(message); // the end, without an answer
            if (message is RefuseMessage or AcceptMessage)
            {
                return message is RefuseMessage refuse ? refuse.Reason : ChannelRefusal.None;
            }
        }
    }
}
