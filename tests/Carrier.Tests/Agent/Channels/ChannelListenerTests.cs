using System.IO.Pipelines;
using Carrier.Agent.Channels;
using Carrier.Agent.Network;
using Carrier.Chain.Access;
using Carrier.Chain.Channels;
using Carrier.Tests.Chain;
using Carrier.Tests.Storage;
using static Carrier.Tests.Chain.Channels.ChannelFixture;

namespace Carrier.Tests.Agent.Channels;

/// <summary>How a payee answers what payers begin a stream with.</summary>
public sealed class ChannelListenerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Proposal_is_accepted_on_its_stream_though_the_channel_had_its_first_turn_before_that()
    {
        await using var node = new FixtureNode(FixtureNode.RecordedBlocks());
        using ChainAccess access = ChainAccessTests.Open(_folder, node);
        using ChannelStore store = ChannelStore.Open(_folder.File("channels.db"));
        LiveChannel? made = null;
        var listener = new ChannelListener(static (_, _) => null, async (_, open, cancel) =>
        {
            Assert.Equal(ChannelRefusal.None, PayeeChannel.TryAccept(open, Payee, Policy, 0, isFunded: false, out PayeeChannel? payee));
            made = new LiveChannel(payee!, store, access, static (_, _) => { });
            await made.Shell.TurnAsync(static () => { }, cancel); // it accepts, and there is no stream yet
            return (made, ChannelRefusal.None);
        });

        var network = new MemoryNetwork();
        await using (MemoryNetwork.Node payee = network.Join(Payee.PublicKey.TrustId))
        await using (MemoryNetwork.Node payer = network.Join(Payer.PublicKey.TrustId))
        {
            using IDisposable listening = payee.Listen(ChannelListener.Protocol, listener.AnswerAsync);
            await using IPeerSession session = await payer.ConnectAsync(payee.TrustId, ChannelListener.Protocol, Cancel);
            IDuplexPipe stream = await session.OpenStreamAsync(Cancel);
            await stream.Output.WriteMessageAsync(Open, Cancel);
            while (await stream.Input.ReadMessageAsync(Cancel) is var message and not AcceptMessage)
            {
                Assert.NotNull(message); // the end, without an accept
            }

            await stream.Output.CompleteAsync();
        }

        made!.Dispose();
    }
}
