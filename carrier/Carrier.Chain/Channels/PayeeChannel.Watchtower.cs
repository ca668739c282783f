using Carrier.Chain.Transactions;

namespace Carrier.Chain.Channels;

/// <content>What a payee hands to a watchtower, and what it learns from one.</content>
public sealed partial class PayeeChannel
{
    /// <summary>The latest close, complete, for any third party to broadcast; null while nothing was paid.</summary>
    public CloseEscrow? ExportClose()
    {
        if (Record.Cumulative.Value == 0)
        {
            return null;
        }

        uint lockHeight = Record.Terms.LockHeight;
        uint closeBy = lockHeight - Math.Min(_policy.CloseMargin, lockHeight);
        return new CloseEscrow(Record.Channel, lockHeight, closeBy, Record.Cumulative, Record.Delivered, SignedClose().Encode());
    }

    /// <summary>The watchtower has <paramref name="escrow"/>: its voucher counts, and what waited for it is served.</summary>
    public void Escrowed(CloseEscrow escrow)
    {
        ArgumentNullException.ThrowIfNull(escrow);
        _escrowed = escrow.Cumulative > _escrowed ? escrow.Cumulative : _escrowed;
        while (_awaitingEscrow.TryPeek(out ServeEffect? next) && next.Delivered <= escrow.Delivered)
        {
            Do(_awaitingEscrow.Dequeue());
        }
    }

    /// <summary>What the watchtower holds, asked for at every start; null when it holds nothing. Higher than any voucher here means that this side was rolled
    /// back: it rules, and the channel ends. Until the tower answered nothing is closed, or an old close could be sent; half the margin before L that ends.</summary>
    public bool Adopt(CloseEscrow? escrow)
    {
        if (escrow is null)
        {
            _knowsTower = true;
            return true;
        }

        if (escrow.Channel != Record.Channel || IsOver || escrow.Cumulative > Record.Terms.Capacity
            || !TryFindVoucher(escrow, out ChannelSignature voucher))
        {
            return false;
        }

        _knowsTower = true;
        Escrowed(escrow);
        if (escrow.Cumulative > Record.Cumulative)
        {
            Change(Record with { IsRestored = true, Sequence = Record.Sequence + 1, Cumulative = escrow.Cumulative, Voucher = voucher });
            Close();
        }
        else if (escrow.Delivered > Record.Delivered)
        {
            Change(Record with { IsRestored = true });
            Close();
        }

        return true;
    }

    private void Escrow()
    {
        if (_policy.CountsOnlyEscrowed && !Record.Voucher.IsNone && Record.Cumulative.Value > 0)
        {
            DoLatest(LatestOnly.Escrow, new EscrowEffect(ExportClose()!));
        }
    }

    private bool TryFindVoucher(CloseEscrow escrow, out ChannelSignature voucher)
    {
        voucher = default;
        if (Transaction.TryParse(escrow.Transaction.Span, out Transaction? close) != TransactionReading.Read
            || close!.Id != Transactions.Close(escrow.Cumulative).Id || close.Programs.Length != 1)
        {
            return false;
        }

        ReadOnlySpan<byte> parameter = close.Programs[0].Parameter.Span;
        for (; parameter.Length >= RedeemScript.SignatureItemBytes; parameter = parameter[RedeemScript.SignatureItemBytes..])
        {
            voucher = new ChannelSignature(parameter[1..RedeemScript.SignatureItemBytes]);
            if (IsSignedByCounterpart(close, voucher))
            {
                return true;
            }
        }

        return false;
    }
}
