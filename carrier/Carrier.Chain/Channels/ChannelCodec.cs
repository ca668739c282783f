using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Carrier.Chain.Primitives;
using Carrier.Core.Identity;

namespace Carrier.Chain.Channels;

/// <summary>The bytes of <see cref="ChannelMessage"/>. Integers are big-endian, the id in internal order, amounts in Sela.</summary>
/// <remarks>
/// <code>
///  0      1               33
///  +------+---------------+----------------------------------------------
///  | type | channel id    | 1 open     payer key 33, payee key 33, deposit 8, fee 8, L 4,
///  +------+---------------+            then funding, gate, refund, each as length 2 and bytes
///                         | 2 accept   signature on gate 64, signature on refund 64
///                         | 3 refuse   reason 1
///                         | 4 voucher  sequence 8, cumulative 8, signature 64
///                         | 5 ack      sequence 8, cumulative 8
///                         | 6 close    cumulative 8
///                         | 7 cooperative-close  as voucher
///                         | 8 co-signed          cumulative 8, signature 64
///                         | 9 resume             as voucher, all zero where there is none; acknowledged 8, delivered 8
///                         | 10 unknown           nothing
/// </code>
/// On a stream each message has its length before it, four bytes. A message with anything after its last field is refused: a later version is another protocol name.
/// </remarks>
public static class ChannelCodec
{
    /// <summary>Bytes of the length before each message on a stream.</summary>
    public const int LengthBytes = 4;

    /// <summary>Bytes of the longest message but an open, its length not counted.</summary>
    public const int MaxShortBytes = 192;

    private const int AmountBytes = 8;

    private enum MessageType : byte
    {
        Open = 1,
        Accept = 2,
        Refuse = 3,
        Voucher = 4,
        Ack = 5,
        Close = 6,
        CooperativeClose = 7,
        CoSigned = 8,
        Resume = 9,
        Unknown = 10,
    }

    /// <summary>Writes <paramref name="message"/> with its length before it; <paramref name="destination"/> has room for <see cref="ChannelLimits.MaxMessageBytes"/> and the length.</summary>
    /// <returns>Bytes written.</returns>
    public static int WriteFramed(ChannelMessage message, Span<byte> destination)
    {
        int bytes = Write(message, destination[LengthBytes..]);
        BinaryPrimitives.WriteInt32BigEndian(destination, bytes);
        return LengthBytes + bytes;
    }

    /// <summary>Writes <paramref name="message"/>.</summary>
    /// <returns>Bytes written.</returns>
    public static int Write(ChannelMessage message, Span<byte> destination)
    {
        ArgumentNullException.ThrowIfNull(message);
        var writer = new Writer(destination);
        writer.Byte((byte)TypeOf(message));
        writer.Hash(message.Channel);
        switch (message)
        {
            case OpenMessage open:
                WriteTerms(ref writer, open.Terms);
                writer.Counted(open.Funding.Span);
                writer.Counted(open.Gate.Span);
                writer.Counted(open.Refund.Span);
                break;
            case AcceptMessage accept:
                writer.Bytes(accept.Gate.Span);
                writer.Bytes(accept.Refund.Span);
                break;
            case RefuseMessage refuse:
                writer.Byte((byte)refuse.Reason);
                break;
            case VoucherMessage voucher:
                writer.Voucher(voucher.Sequence, voucher.Cumulative, voucher.Signature);
                break;
            case AckMessage ack:
                writer.UInt64(ack.Sequence);
                writer.Amount(ack.Cumulative);
                break;
            case CloseMessage close:
                writer.Amount(close.Cumulative);
                break;
            case CooperativeCloseMessage cooperative:
                writer.Voucher(cooperative.Sequence, cooperative.Cumulative, cooperative.Signature);
                break;
            case CoSignedMessage coSigned:
                writer.Amount(coSigned.Cumulative);
                writer.Bytes(coSigned.Signature.Span);
                break;
            case ResumeMessage resume:
                writer.Voucher(resume.Sequence, resume.Cumulative, resume.Signature);
                writer.Amount(resume.Acknowledged);
                writer.Amount(resume.Delivered);
                break;
        }

        return writer.Written;
    }

    /// <summary>Reads one message, its length field already taken off. False when a field is missing, out of bounds or left over.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out ChannelMessage? message)
    {
        var reader = new Reader(bytes);
        bool read = reader.TryByte(out byte type) & reader.TryHash(out Hash256 channel);
        message = read ? ReadBody((MessageType)type, channel, ref reader) : null;
        if (!reader.AtEnd)
        {
            message = null;
        }

        return message is not null;
    }

    private static MessageType TypeOf(ChannelMessage message) => message switch
    {
        OpenMessage => MessageType.Open,
        AcceptMessage => MessageType.Accept,
        RefuseMessage => MessageType.Refuse,
        VoucherMessage => MessageType.Voucher,
        AckMessage => MessageType.Ack,
        CloseMessage => MessageType.Close,
        CooperativeCloseMessage => MessageType.CooperativeClose,
        CoSignedMessage => MessageType.CoSigned,
        ResumeMessage => MessageType.Resume,
        UnknownMessage => MessageType.Unknown,
        _ => throw new ArgumentOutOfRangeException(nameof(message)),
    };

    private static ChannelMessage? ReadBody(MessageType type, Hash256 channel, ref Reader reader)
    {
        switch (type)
        {
            case MessageType.Open:
                return ReadOpen(channel, ref reader);
            case MessageType.Accept:
                return reader.TrySignature(out ChannelSignature gate) && reader.TrySignature(out ChannelSignature refund)
                    ? new AcceptMessage(channel, gate, refund) : null;
            case MessageType.Refuse:
                return reader.TryByte(out byte reason) && Enum.IsDefined((ChannelRefusal)reason) && reason != 0
                    ? new RefuseMessage(channel, (ChannelRefusal)reason) : null;
            case MessageType.Voucher:
                return reader.TryVoucher(out ulong sequence, out Sela cumulative, out ChannelSignature signature)
                    ? new VoucherMessage(channel, sequence, cumulative, signature) : null;
            case MessageType.Ack:
                return reader.TryUInt64(out sequence) && reader.TryAmount(out cumulative) ? new AckMessage(channel, sequence, cumulative) : null;
            case MessageType.Close:
                return reader.TryAmount(out cumulative) ? new CloseMessage(channel, cumulative) : null;
            case MessageType.CooperativeClose:
                return reader.TryVoucher(out sequence, out cumulative, out signature)
                    ? new CooperativeCloseMessage(channel, sequence, cumulative, signature) : null;
            case MessageType.CoSigned:
                return reader.TryAmount(out cumulative) && reader.TrySignature(out signature) ? new CoSignedMessage(channel, cumulative, signature) : null;
            case MessageType.Resume:
                return reader.TryVoucher(out sequence, out cumulative, out signature) && reader.TryAmount(out Sela acknowledged)
                    && reader.TryAmount(out Sela delivered)
                    ? new ResumeMessage(channel, sequence, cumulative, signature, acknowledged, delivered) : null;
            case MessageType.Unknown:
                return new UnknownMessage(channel);
            default:
                return null;
        }
    }

    private static OpenMessage? ReadOpen(Hash256 channel, ref Reader reader) =>
        reader.TryKey(out OwnerPublicKey payer)
            && reader.TryKey(out OwnerPublicKey payee)
            && reader.TryAmount(out Sela deposit)
            && reader.TryAmount(out Sela fee) && fee.Value <= ChannelLimits.MaxFee
            && reader.TryUInt32(out uint lockHeight)
            && reader.TryCounted(ChannelLimits.MaxFundingBytes, out ReadOnlySpan<byte> funding)
            && reader.TryCounted(ChannelLimits.MaxCommitmentBytes, out ReadOnlySpan<byte> gate)
            && reader.TryCounted(ChannelLimits.MaxCommitmentBytes, out ReadOnlySpan<byte> refund)
            ? new OpenMessage(channel, new ChannelTerms(payer, payee, deposit, fee, lockHeight), funding.ToArray(), gate.ToArray(), refund.ToArray())
            : null;

    private static void WriteTerms(ref Writer writer, ChannelTerms terms)
    {
        writer.Bytes(terms.Payer.Span);
        writer.Bytes(terms.Payee.Span);
        writer.Amount(terms.Deposit);
        writer.Amount(terms.Fee);
        writer.UInt32(terms.LockHeight);
    }

    private ref struct Writer(Span<byte> destination)
    {
        private readonly Span<byte> _destination = destination;

        public int Written { get; private set; }

        public void Byte(byte value) => _destination[Written++] = value;

        public void Bytes(scoped ReadOnlySpan<byte> value)
        {
            value.CopyTo(_destination[Written..]);
            Written += value.Length;
        }

        public void Counted(scoped ReadOnlySpan<byte> value)
        {
            BinaryPrimitives.WriteUInt16BigEndian(_destination[Written..], checked((ushort)value.Length));
            Written += sizeof(ushort);
            Bytes(value);
        }

        public void Hash(in Hash256 value)
        {
            value.CopyTo(_destination[Written..]);
            Written += Hash256.Bytes;
        }

        public void UInt32(uint value)
        {
            BinaryPrimitives.WriteUInt32BigEndian(_destination[Written..], value);
            Written += sizeof(uint);
        }

        public void UInt64(ulong value)
        {
            BinaryPrimitives.WriteUInt64BigEndian(_destination[Written..], value);
            Written += sizeof(ulong);
        }

        public void Amount(Sela value) => UInt64((ulong)value.Value);

        public void Voucher(ulong sequence, Sela cumulative, ChannelSignature signature)
        {
            UInt64(sequence);
            Amount(cumulative);
            Bytes(signature.Span);
        }
    }

    private ref struct Reader(ReadOnlySpan<byte> source)
    {
        private ReadOnlySpan<byte> _rest = source;

        public readonly bool AtEnd => _rest.IsEmpty;

        public bool TryByte(out byte value)
        {
            bool there = TrySpan(sizeof(byte), out ReadOnlySpan<byte> bytes);
            value = there ? bytes[0] : default;
            return there;
        }

        public bool TryUInt32(out uint value)
        {
            bool there = TrySpan(sizeof(uint), out ReadOnlySpan<byte> bytes);
            value = there ? BinaryPrimitives.ReadUInt32BigEndian(bytes) : default;
            return there;
        }

        public bool TryUInt64(out ulong value)
        {
            bool there = TrySpan(sizeof(ulong), out ReadOnlySpan<byte> bytes);
            value = there ? BinaryPrimitives.ReadUInt64BigEndian(bytes) : default;
            return there;
        }

        public bool TryAmount(out Sela value)
        {
            bool there = TrySpan(AmountBytes, out ReadOnlySpan<byte> bytes);
            value = default;
            return there && Sela.TryFrom(BinaryPrimitives.ReadInt64BigEndian(bytes), out value);
        }

        public bool TryHash(out Hash256 value)
        {
            bool there = TrySpan(Hash256.Bytes, out ReadOnlySpan<byte> bytes);
            value = there ? new Hash256(bytes) : default;
            return there;
        }

        public bool TryKey(out OwnerPublicKey value)
        {
            bool there = TrySpan(OwnerPublicKey.Bytes, out ReadOnlySpan<byte> bytes);
            value = default;
            return there && OwnerPublicKey.TryFromBytes(bytes, out value);
        }

        public bool TrySignature(out ChannelSignature value)
        {
            bool there = TrySpan(ChannelSignature.Bytes, out ReadOnlySpan<byte> bytes);
            value = there ? new ChannelSignature(bytes) : default;
            return there;
        }

        public bool TryCounted(int maxBytes, out ReadOnlySpan<byte> value)
        {
            value = default;
            return TrySpan(sizeof(ushort), out ReadOnlySpan<byte> length)
                && BinaryPrimitives.ReadUInt16BigEndian(length) <= maxBytes
                && TrySpan(BinaryPrimitives.ReadUInt16BigEndian(length), out value);
        }

        public bool TryVoucher(out ulong sequence, out Sela cumulative, out ChannelSignature signature)
        {
            cumulative = default;
            signature = default;
            return TryUInt64(out sequence) && TryAmount(out cumulative) && TrySignature(out signature);
        }

        private bool TrySpan(int bytes, out ReadOnlySpan<byte> value)
        {
            bool there = _rest.Length >= bytes;
            value = there ? _rest[..bytes] : default;
            _rest = there ? _rest[bytes..] : default;
            return there;
        }
    }
}
