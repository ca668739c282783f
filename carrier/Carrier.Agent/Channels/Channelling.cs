using System.Globalization;
using Carrier.Agent.Control;
using Carrier.Agent.Network;
using Carrier.Agent.State;
using Carrier.Chain.Channels;
using Carrier.Chain.Primitives;
using Carrier.Chain.Wallet;
using Carrier.Core.Identity;

namespace Carrier.Agent.Channels;

/// <summary>Does what channel commands ask of the running agent, and says how far it is. Whoever leaves early leaves the channel as it is: the agent goes on with it.</summary>
internal sealed class Channelling(ChannelService channels, INetwork network, TimeProvider time)
{
    /// <summary>How long a peer may take to answer before the command stops waiting for it.</summary>
    private static readonly TimeSpan PeerPatience = TimeSpan.FromSeconds(60);

    /// <summary>How long nodes may take to show the chain.</summary>
    private static readonly TimeSpan ChainPatience = TimeSpan.FromSeconds(60);

    /// <summary>Blocks have no deadline: a command that waits for some waits until it is stopped.</summary>
    private static readonly TimeSpan NoHurry = TimeSpan.FromDays(30);

    public async Task RunAsync(ControlRequest request, IConversation conversation, CancellationToken cancellationToken)
    {
        switch (request)
        {
            case OpenChannelRequest open:
                await OpenAsync(open, conversation, cancellationToken).ConfigureAwait(false);
                break;
            case ChannelsRequest list:
                await ListAsync(list.Channel, conversation, cancellationToken).ConfigureAwait(false);
                break;
            case PayRequest pay:
                await PayAsync(pay, conversation, cancellationToken).ConfigureAwait(false);
                break;
            case CloseChannelRequest close:
                await CloseAsync(close, conversation, cancellationToken).ConfigureAwait(false);
                break;
            case RefundRequest refund:
                await RefundAsync(refund, conversation, cancellationToken).ConfigureAwait(false);
                break;
            case ExportCloseRequest export:
                await ExportAsync(channels.Find(export.Channel), conversation, cancellationToken).ConfigureAwait(false);
                break;
        }
    }

    private static string Advice(ChannelRefusal refusal) => refusal switch
    {
        ChannelRefusal.NotNow => "it takes no channels from you now. Its owner can change that: carrier channel accept --from YOUR-TRUSTID (carrier id).",
        ChannelRefusal.Amounts => "the deposit or the fee is less than it takes. Try more.",
        ChannelRefusal.LockHeight => "the lock height leaves it too little time, or is beyond reason. Try more --blocks.",
        _ => $"it finds the proposal unsound ({refusal}): are both ends of one version?",
    };

    private static Sela ReadAmount(string text) => Sela.TryParse(text, out Sela amount)
        ? amount
        : throw new AgentException(ExitCode.Usage, $"'{text}' is no amount: give decimal ELA with at most eight digits after the point, such as 1.5.");

    private static ValueTask SayAsync(LiveChannel channel, IConversation conversation, CancellationToken cancellationToken) =>
        conversation.SayAsync(new ChannelReply(channel.Report()), cancellationToken);

    private async Task OpenAsync(OpenChannelRequest request, IConversation conversation, CancellationToken cancellationToken)
    {
        if (!TrustId.TryParse(request.Peer, out TrustId peer) || peer == network.TrustId)
        {
            throw new AgentException(ExitCode.Usage, "A channel is opened to the TrustID of somebody else.");
        }

        uint height = await HeightAsync(cancellationToken).ConfigureAwait(false);
        OwnerPublicKey payee = await network.FindOwnerKeyAsync(peer, cancellationToken).ConfigureAwait(false);
        Sela fee = request.Fee is null ? new Sela(ChannelLimits.DefaultFee) : ReadAmount(request.Fee);
        Sela deposit = ReadAmount(request.Amount);
        uint lockHeight = request.LockHeight ?? checked((uint)Math.Min(height + (ulong)request.Blocks, ChannelLimits.MaxLockHeight));
        var terms = new ChannelTerms(channels.PublicKey, payee, deposit, fee, lockHeight);
        if (!terms.AmountsAreSound || lockHeight <= height)
        {
            throw new AgentException(
                ExitCode.Usage,
                $"The amount must be more than the fee, the fee from {new Sela(ChannelLimits.MinFee)} to {new Sela(ChannelLimits.MaxFee)} ELA, and the lock height above {height}.");
        }

        Sela window = request.Window is null ? terms.Capacity : ReadAmount(request.Window);
        LiveChannel channel = await channels.ProposeAsync(terms, window, CoinSelection.DefaultFee, cancellationToken).ConfigureAwait(false);
        await SayAsync(channel, conversation, cancellationToken).ConfigureAwait(false);
        await WaitForAcceptAsync(channel, cancellationToken).ConfigureAwait(false);
        await SayAsync(channel, conversation, cancellationToken).ConfigureAwait(false);
        await WaitForDepthAsync(channel, () => channel.Sight?.FundingConfirmations ?? 0, request.Confirmations, conversation, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Until the payee has signed. If it does not, or nobody waits any more, the proposal is taken back.</summary>
    private static async Task WaitForAcceptAsync(LiveChannel channel, CancellationToken cancellationToken)
    {
        try
        {
            _ = await channel.Changed.UntilAsync(() => channel.Record.State != ChannelState.Proposed, PeerPatience, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await channel.Shell.TurnAsync(((PayerChannel)channel.Machine).Withdraw, CancellationToken.None).ConfigureAwait(false);
        }

        if (channel.Record.State == ChannelState.Abandoned)
        {
            throw channel.Refusal == ChannelRefusal.None
                ? new AgentException(ExitCode.Unreachable, "The payee did not answer, and nothing was paid: is its agent running with channels on? " + channel.Report().Trouble)
                : new AgentException(ExitCode.Refused, "The payee does not take the channel: " + Advice(channel.Refusal));
        }
    }

    private async Task ListAsync(string? one, IConversation conversation, CancellationToken cancellationToken)
    {
        if (channels.Desk.Standing is { } standing)
        {
            await conversation.SayAsync(
                new ChainReply(channels.Desk.Network, standing.Height, standing.Tip.ToString(), standing.Assurance.ToString(), standing.Nodes.Count, standing.Agreeing),
                cancellationToken).ConfigureAwait(false);
        }

        ChannelReport[] reports = [.. channels.Reports().Where(report => one is null || report.Channel.StartsWith(one, StringComparison.OrdinalIgnoreCase) || report.Peer == one)];
        if (one is not null && reports.Length == 0)
        {
            throw new AgentException(ExitCode.Usage, $"No channel is '{one}': carrier channel list shows what there is.");
        }

        foreach (ChannelReport report in reports)
        {
            await conversation.SayAsync(new ChannelReply(report), cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task PayAsync(PayRequest request, IConversation conversation, CancellationToken cancellationToken)
    {
        LiveChannel channel = channels.Find(request.Channel, static channel => channel.IsPayer);
        var payer = (PayerChannel)channel.Machine;
        Sela amount = ReadAmount(request.Amount);
        if (amount > channel.Record.Window)
        {
            throw new AgentException(ExitCode.Usage, $"One payment may not be more than the channel's window, {channel.Record.Window} ELA: pay in smaller parts with --count.");
        }

        long begun = time.GetTimestamp();
        channel.Wanted.Beat();
        for (int paid = 0; paid < request.Count;)
        {
            Sela acknowledged = channel.Record.Acknowledged;
            (int more, PaymentRefusal refusal) = await channel.Shell.PayAsync(payer, amount, request.Count - paid, cancellationToken).ConfigureAwait(false);
            paid += more;
            if (refusal is not (PaymentRefusal.None or PaymentRefusal.OverWindow))
            {
                throw Refused(refusal, paid, channel);
            }

            // The window is full: the next acknowledgement makes room.
            if (refusal == PaymentRefusal.OverWindow)
            {
                await AcknowledgedAsync(channel, () => channel.Record.Acknowledged > acknowledged, paid).ConfigureAwait(false);
            }
        }

        Sela cumulative = channel.Record.Cumulative;
        await AcknowledgedAsync(channel, () => channel.Record.Acknowledged >= cumulative, request.Count).ConfigureAwait(false);
        await conversation.SayAsync(
            new PaidReply(
                channel.Id.ToString(), request.Count, amount.ToString(), cumulative.ToString(), payer.Remaining.ToString(), Math.Round(time.GetElapsedTime(begun).TotalSeconds, 3)),
            cancellationToken).ConfigureAwait(false);

        async Task AcknowledgedAsync(LiveChannel channel, Func<bool> holds, int paid)
        {
            if (!await channel.Changed.UntilAsync(holds, PeerPatience, cancellationToken).ConfigureAwait(false))
            {
                throw new AgentException(ExitCode.Interrupted, string.Create(
                    CultureInfo.InvariantCulture,
                    $"{paid} payments are made, but the payee has acknowledged {channel.Record.Acknowledged} of {channel.Record.Cumulative} ELA and is silent. They are sent again when it is back: do not pay them again. carrier channel show {channel.Id} tells."));
            }
        }
    }

    private static AgentException Refused(PaymentRefusal refusal, int paid, LiveChannel channel) => new(ExitCode.Failure, string.Create(
        CultureInfo.InvariantCulture,
        $"{paid} payments were made, and no more: {(refusal switch
        {
            PaymentRefusal.OverCapacity => $"the channel has {channel.Machine.Remaining} ELA left. Open another one.",
            PaymentRefusal.NotOpen => $"the channel is {channel.Record.State}, not Open.",
            _ => "nothing is no payment.",
        })}"));

    private async Task CloseAsync(CloseChannelRequest request, IConversation conversation, CancellationToken cancellationToken)
    {
        LiveChannel channel = channels.Find(request.Channel);
        if (!channel.IsPayer && channel.Record.Voucher.IsNone)
        {
            throw new AgentException(ExitCode.Failure, "Nothing was paid, so there is nothing to close with: the payer closes, or takes its deposit back after the lock height.");
        }

        Action close = channel.Machine is PayerChannel payer ? payer.Close : ((PayeeChannel)channel.Machine).Close;
        await channel.Shell.TurnAsync(close, cancellationToken).ConfigureAwait(false);
        channel.Wanted.Beat();
        if (channel.Record.State is ChannelState.Proposed or ChannelState.Funding)
        {
            throw new AgentException(ExitCode.Failure, $"The channel is not funded yet ({channel.Report().Trouble ?? "it waits for a block"}): try again when it is Open.");
        }

        bool isSigned = await channel.Changed.UntilAsync(
            () => !channel.IsPayer || !channel.Record.CoSigned.IsNone || channel.Sight is { Deposit.Stage: not SpendStage.None }, PeerPatience, cancellationToken).ConfigureAwait(false);
        if (!isSigned)
        {
            throw new AgentException(
                ExitCode.Unreachable,
                $"The payee does not answer. It is asked again whenever it is reached; if it never is, your agent takes the deposit back by itself after block {channel.Record.Terms.LockHeight}.");
        }

        await SayAsync(channel, conversation, cancellationToken).ConfigureAwait(false);
        await WaitForDepthAsync(channel, () => channel.Sight?.Deposit.Confirmations ?? 0, request.Confirmations, conversation, cancellationToken).ConfigureAwait(false);
    }

    private async Task RefundAsync(RefundRequest request, IConversation conversation, CancellationToken cancellationToken)
    {
        LiveChannel channel = channels.Find(request.Channel, static channel => channel.IsPayer);
        uint height = await HeightAsync(cancellationToken).ConfigureAwait(false);
        uint lockHeight = channel.Record.Terms.LockHeight;
        if (height < lockHeight)
        {
            throw new AgentException(ExitCode.Failure, string.Create(
                CultureInfo.InvariantCulture,
                $"The deposit can be taken back from block {lockHeight + 1} on, {lockHeight + 1 - height} blocks from now; the agent does it by itself then. Sooner: carrier channel close {channel.Id}"));
        }

        channels.Desk.Hurry();
        await SayAsync(channel, conversation, cancellationToken).ConfigureAwait(false);
        await WaitForDepthAsync(channel, () => channel.Sight?.Deposit.Confirmations ?? 0, request.Confirmations, conversation, cancellationToken).ConfigureAwait(false);
    }

    private static async Task ExportAsync(LiveChannel channel, IConversation conversation, CancellationToken cancellationToken)
    {
        if (channel.Machine is not PayeeChannel payee)
        {
            throw new AgentException(ExitCode.Usage, "Only the payee has a close to export: the payer's way out is its refund.");
        }

        CloseEscrow? escrow = null;
        await channel.Shell.TurnAsync(() => escrow = payee.ExportClose(), cancellationToken).ConfigureAwait(false);
        await conversation.SayAsync(
            escrow is null
                ? throw new AgentException(ExitCode.Failure, "Nothing was paid yet, so there is no close to export.")
                : new ExportReply(channel.Id.ToString(), escrow.Cumulative.ToString(), escrow.CloseBy, escrow.LockHeight, Convert.ToHexStringLower(escrow.Encode())),
            cancellationToken).ConfigureAwait(false);
    }

    private async Task<uint> HeightAsync(CancellationToken cancellationToken)
    {
        channels.Desk.Hurry();
        return await channels.Desk.Rounds.UntilAsync(() => channels.Desk.Standing is { Agreeing: > 0 }, ChainPatience, cancellationToken).ConfigureAwait(false)
            ? channels.Desk.Standing!.Height
            : throw new AgentException(ExitCode.Unreachable, "No node of the chain answers the agent: check the --node and --network that carrier up was given.");
    }

    /// <summary>Waits for confirmations, and says so at every new one.</summary>
    private async Task WaitForDepthAsync(
        LiveChannel channel, Func<uint> depth, uint wanted, IConversation conversation, CancellationToken cancellationToken)
    {
        uint told = 0;
        while (told < wanted)
        {
            channels.Desk.Hurry();
            _ = await channel.Changed.UntilAsync(() => depth() > told, NoHurry, cancellationToken).ConfigureAwait(false);
            told = depth();
            await SayAsync(channel, conversation, cancellationToken).ConfigureAwait(false);
        }
    }
}
