using Carrier.Core.Crypto;

namespace Carrier.Chain.Transactions;

/// <summary>The order in which nodes store programs: by code hash, compared from its last byte.</summary>
internal sealed class ProgramOrder : IComparer<TransactionProgram>
{
    public static readonly ProgramOrder Instance = new();

    public int Compare(TransactionProgram x, TransactionProgram y)
    {
        Span<byte> left = stackalloc byte[Hash160.Bytes];
        Span<byte> right = stackalloc byte[Hash160.Bytes];
        Hash160.HashData(x.Code.Span, left);
        Hash160.HashData(y.Code.Span, right);
        left.Reverse();
        right.Reverse();
        return left.SequenceCompareTo(right);
    }
}
