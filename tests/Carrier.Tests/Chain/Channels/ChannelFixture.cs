using System.Buffers;
using System.IO.Pipelines;
using Carrier.Chain.Channels;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;
using Carrier.Core.Identity;

namespace Carrier.Tests.Chain.Channels;

/// <summary>Keys, terms and a funding transaction for the tests of channels.</summary>
internal static class ChannelFixture
{
    public static readonly P256Signer Payer = SignerOf(3);
    public static readonly P256Signer Payee = SignerOf(5);
    public static readonly P256Signer Stranger = SignerOf(7);

    public static readonly ChannelTerms Terms = new(Payer.PublicKey, Payee.PublicKey, new Sela(10_000_000), new Sela(ChannelLimits.DefaultFee), 1_000);

    public static readonly Transaction Funding = Fund(ChannelTransactions.FundingOutputs(Terms));

    public static readonly ChannelTransactions Transactions = new(Terms, Funding.Id);

    public static readonly PayeePolicy Policy = new() { CreditWindow = new Sela(5_000) };

    public static OpenMessage Open =>
        new(Funding.Id, Terms, (Funding with { Programs = [] }).Encode(), Transactions.Gate.Encode(), Transactions.Refund.Encode());

    /// <summary>A record as it is once vouchers may flow.</summary>
    public static ChannelRecord OpenRecord(ChannelRole role) => new()
    {
        Channel = Funding.Id,
        Role = role,
        Terms = Terms,
        State = ChannelState.Open,
        Funding = role == ChannelRole.Payer ? Funding.Encode() : (Funding with { Programs = [] }).Encode(),
        Gate = role == ChannelRole.Payer ? Sign(Payee, Transactions.Gate) : default,
        Refund = role == ChannelRole.Payer ? Sign(Payee, Transactions.Refund) : default,
    };

    public static VoucherMessage Voucher(ulong sequence, long cumulative) =>
        new(Funding.Id, sequence, new Sela(cumulative), Sign(Payer, Transactions.Close(new Sela(cumulative))));

    public static ResumeMessage Hello => new(Funding.Id, 0, Sela.Zero, default, Sela.Zero, Sela.Zero);

    public static ChannelSignature Sign(P256Signer signer, Transaction transaction) => signer.Sign(transaction.EncodeUnsigned());

    public static ChannelSight Sight(uint height, uint confirmations = 6, ChannelSpend deposit = default, ChannelSpend ticket = default) =>
        new(height, confirmations, false, deposit, ticket);

    public static Transaction Fund(IEnumerable<TransactionOutput> outputs)
    {
        var unsigned = new Transaction { Inputs = [new TransactionInput(new OutPoint(Hash256.Sha256([1]), 0))], Outputs = [.. outputs] };
        return unsigned.WithPrograms(RedeemScript.Standard(Payer.PublicKey).Program(Sign(Payer, unsigned).Span.ToArray()));
    }

    /// <summary>Does what a machine wants, every write at once; returns what left it, writes left out.</summary>
    public static List<ChannelEffect> Drain(ChannelSide machine)
    {
        var effects = new List<ChannelEffect>();
        while (machine.TryEffect(out ChannelEffect? effect))
        {
            if (effect is PersistEffect persist)
            {
                machine.Persisted(persist.Ticket);
            }
            else
            {
                effects.Add(effect);
            }
        }

        return effects;
    }

    public static async Task WriteMessageAsync(this PipeWriter output, ChannelMessage message, CancellationToken cancellationToken)
    {
        byte[] frame = new byte[ChannelCodec.LengthBytes + ChannelLimits.MaxMessageBytes];
        _ = await output.WriteAsync(frame.AsMemory(0, ChannelCodec.WriteFramed(message, frame)), cancellationToken);
    }

    /// <summary>The next message; null at the end.</summary>
    public static async Task<ChannelMessage?> ReadMessageAsync(this PipeReader input, CancellationToken cancellationToken)
    {
        while (true)
        {
            ReadResult read = await input.ReadAsync(cancellationToken);
            ReadOnlySequence<byte> buffer = read.Buffer;
            if (ChannelFrames.TryRead(ref buffer, out ChannelMessage? message) == FrameReading.Read)
            {
                input.AdvanceTo(buffer.Start);
                return message;
            }

            input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            if (read.IsCompleted)
            {
                return null;
            }
        }
    }

    public static IEnumerable<T> Sent<T>(this IEnumerable<ChannelEffect> effects)
        where T : ChannelMessage => effects.OfType<SendEffect>().Select(send => send.Message).OfType<T>();

    public static IEnumerable<BroadcastKind> Broadcasts(this IEnumerable<ChannelEffect> effects) =>
        effects.OfType<BroadcastEffect>().Select(broadcast => broadcast.Kind);

    public static OwnerKey KeyOf(byte scalar)
    {
        byte[] bytes = new byte[OwnerKey.PrivateBytes];
        bytes[^1] = scalar;
        Assert.True(OwnerKey.TryFromPrivate(bytes, out OwnerKey? key));
        return key;
    }

    private static P256Signer SignerOf(byte scalar)
    {
        using OwnerKey key = KeyOf(scalar);
        return new P256Signer(key);
    }
}
