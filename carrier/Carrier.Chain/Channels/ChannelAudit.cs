namespace Carrier.Chain.Channels;

/// <summary>The invariants of a channel, checked where every effect leaves its machine. A broken one is a bug of ours: the channel stops before money moves.</summary>
public static class ChannelAudit
{
    /// <summary>Checks <paramref name="effect"/> against what is on disk.</summary>
    /// <exception cref="ChannelInvariantException">It must not happen.</exception>
    public static void Check(ChannelRecord? durable, ChannelEffect effect)
    {
        switch (effect)
        {
            case PersistEffect persist:
                CheckRecord(durable, persist.Record);
                break;
            case BroadcastEffect { Kind: BroadcastKind.Funding }:
                Require(durable is { Role: ChannelRole.Payer, Gate.IsNone: false, Refund.IsNone: false }, "funding, gate, refund and the payee's signatures are on disk before funding is broadcast");
                break;
            case BroadcastEffect { Kind: BroadcastKind.Close }:
                Require(durable is not null && HasEnded(durable), "the channel is closing on disk before its close is broadcast");
                break;
            case SendEffect { Message: VoucherMessage voucher }:
                Require(durable is { Role: ChannelRole.Payer } && durable.Cumulative >= voucher.Cumulative, "a voucher is on the payer's disk before it is sent");
                break;
            case SendEffect { Message: CooperativeCloseMessage last }:
                Require(durable is { Role: ChannelRole.Payer } && HasEnded(durable) && durable.Cumulative >= last.Cumulative, "the last voucher is on the payer's disk, and none follows it");
                break;
            case SendEffect { Message: AckMessage ack }:
                Require(durable is { Role: ChannelRole.Payee } && durable.Cumulative >= ack.Cumulative, "a voucher is on the payee's disk before it is acknowledged");
                break;
            case SendEffect { Message: CoSignedMessage coSigned }:
                Require(durable is { Role: ChannelRole.Payee } && HasEnded(durable) && durable.Cumulative == coSigned.Cumulative, "the payee ends with its highest voucher only");
                break;
            case ServeEffect serve:
                Require(durable is { Role: ChannelRole.Payee } && durable.Delivered >= serve.Delivered, "what is served is on the payee's disk as served");
                break;
        }
    }

    /// <summary>No voucher is taken or sent any more; what follows may have overtaken an effect that waited for its write.</summary>
    private static bool HasEnded(ChannelRecord record) =>
        record.State is ChannelState.Closing or ChannelState.Refunding or ChannelState.Closed or ChannelState.Refunded;

    private static void CheckRecord(ChannelRecord? before, ChannelRecord after)
    {
        Require(after.Cumulative <= after.Terms.Capacity, "the cumulative amount never exceeds deposit less fee");
        Require(after.Role == ChannelRole.Payer || after.Cumulative.Value == 0 || !after.Voucher.IsNone, "the payee's cumulative amount is signed for");
        if (before is not null)
        {
            Require(after.Channel == before.Channel && after.Role == before.Role && after.Terms == before.Terms, "a channel stays what it was agreed to be");
            Require(after.Cumulative >= before.Cumulative, "the cumulative amount never falls");
            Require(after.Delivered >= before.Delivered, "what was delivered stays delivered");
            Require(before.State is not (ChannelState.Closed or ChannelState.Refunded or ChannelState.Abandoned) || after.State == before.State, "what is over stays over");
        }
    }

    private static void Require(bool holds, string invariant)
    {
        if (!holds)
        {
            throw new ChannelInvariantException(invariant);
        }
    }
}
