using Carrier.Chain.Primitives;

namespace Carrier.Chain.Transactions;

/// <summary>Where the payload of a transaction ends: it has no length of its own, so each type must be known to be passed.</summary>
/// <remarks>
/// <code>
///  CoinBase          bytes content
///  RegisterAsset     bytes name | bytes description | precision 1 | asset type 1 | record type 1 | amount 8 | controller 21
///  TransferAsset     nothing
///  Record            bytes type | bytes content
///  NextTurnDposInfo  working height 4 | varint n, n × bytes council key | varint n, n × bytes arbiter key [ a third list of keys in payload version 1 ]
/// </code>
/// </remarks>
internal static class PayloadFormat
{
    private const int RegisteredAssetBytes = 3 + sizeof(ulong) + ProgramHash.Bytes;

    public static TransactionReading Skip(ref ByteReader reader, TransactionType type, byte version)
    {
        switch (type)
        {
            case TransactionType.CoinBase:
                return Result(reader.TryReadBytes(TransactionLimits.MaxTextBytes, out _));
            case TransactionType.RegisterAsset:
                return Result(reader.TryReadBytes(TransactionLimits.MaxTextBytes, out _)
                    && reader.TryReadBytes(TransactionLimits.MaxTextBytes, out _)
                    && reader.TryReadSpan(RegisteredAssetBytes, out _));
            case TransactionType.TransferAsset:
                return TransactionReading.Read;
            case TransactionType.Record:
                return Result(reader.TryReadBytes(TransactionLimits.MaxTextBytes, out _) && reader.TryReadBytes(TransactionLimits.MaxRecordBytes, out _));
            case TransactionType.NextTurnDposInfo when version <= 1:
                return Result(reader.TryReadUInt32(out _) && TrySkipKeys(ref reader) && TrySkipKeys(ref reader) && (version == 0 || TrySkipKeys(ref reader)));
            default:
                return TransactionReading.UnknownType;
        }
    }

    private static TransactionReading Result(bool read) => read ? TransactionReading.Read : TransactionReading.Malformed;

    private static bool TrySkipKeys(ref ByteReader reader)
    {
        bool read = reader.TryReadCount(TransactionLimits.MaxArbiters, minItemBytes: 1, out int count);
        for (int i = 0; read && i < count; i++)
        {
            read = reader.TryReadBytes(Core.Identity.OwnerPublicKey.Bytes, out _);
        }

        return read;
    }
}
