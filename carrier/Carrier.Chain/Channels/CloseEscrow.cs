using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;

namespace Carrier.Chain.Channels;

/// <summary>A payee's latest close, complete: anyone can broadcast it and nobody can change it. It holds no secret.</summary>
/// <remarks>
/// <code>
///  0     1            33      37     41           49          57       59
///  +-----+------------+-------+------+------------+-----------+--------+------------------------+
///  | 01  | channel id | L 4   | by 4 | cumulative | delivered | length | close, both signatures |
///  +-----+------------+-------+------+------------+-----------+--------+------------------------+
/// </code>
/// Big-endian. <i>delivered</i> is for a payee that lost its database and asks the tower how far it was. A watchtower keeps the newest of a channel only and broadcasts it from height <i>by</i> on, if the deposit is unspent: an older one would be just
/// as valid, so a tower is trusted not to side with the payer, and with nothing else.
/// </remarks>
public sealed record CloseEscrow(Hash256 Channel, uint LockHeight, uint CloseBy, Sela Cumulative, Sela Delivered, ReadOnlyMemory<byte> Transaction)
{
    public const byte Version = 1;

    /// <summary>A close has one input and at most two outputs.</summary>
    public const int MaxTransactionBytes = 512;

    private const int HeadBytes = 1 + Hash256.Bytes + 4 + 4 + 8 + 8 + 2;

    public static bool TryRead(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out CloseEscrow? escrow)
    {
        escrow = null;
        if (bytes.Length < HeadBytes || bytes[0] != Version
            || !Sela.TryFrom(BinaryPrimitives.ReadInt64BigEndian(bytes[41..]), out Sela cumulative)
            || !Sela.TryFrom(BinaryPrimitives.ReadInt64BigEndian(bytes[49..]), out Sela delivered)
            || BinaryPrimitives.ReadUInt16BigEndian(bytes[57..]) != bytes.Length - HeadBytes
            || bytes.Length - HeadBytes > MaxTransactionBytes)
        {
            return false;
        }

        var channel = new Hash256(bytes.Slice(1, Hash256.Bytes));
        if (Transactions.Transaction.TryParse(bytes[HeadBytes..], out Transaction? close) != TransactionReading.Read
            || close is not { Inputs.Length: 1, Outputs.Length: 1 or 2, LockTime: 0 }
            || close.Inputs[0].Previous != new OutPoint(channel, ChannelTransactions.DepositIndex)
            || close.Outputs[0].Value != cumulative)
        {
            return false;
        }

        escrow = new CloseEscrow(
            channel, BinaryPrimitives.ReadUInt32BigEndian(bytes[33..]), BinaryPrimitives.ReadUInt32BigEndian(bytes[37..]), cumulative, delivered, bytes[HeadBytes..].ToArray());
        return true;
    }

    public byte[] Encode()
    {
        byte[] bytes = new byte[HeadBytes + Transaction.Length];
        bytes[0] = Version;
        Channel.CopyTo(bytes.AsSpan(1));
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(33), LockHeight);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(37), CloseBy);
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(41), Cumulative.Value);
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(49), Delivered.Value);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(57), checked((ushort)Transaction.Length));
        Transaction.Span.CopyTo(bytes.AsSpan(HeadBytes));
        return bytes;
    }

    public bool Equals(CloseEscrow? other) => other is not null && Encode().AsSpan().SequenceEqual(other.Encode());

    public override int GetHashCode() => HashCode.Combine(Channel, Cumulative, Delivered);
}
