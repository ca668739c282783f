using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Carrier.Chain.Primitives;

namespace Carrier.Chain.Transactions;

/// <summary>Names one output: the id of its transaction and its place there.</summary>
public readonly record struct OutPoint(Hash256 TransactionId, ushort Index)
{
    /// <summary>Bytes on the wire: id 32 internal, index 2.</summary>
    public const int Bytes = Hash256.Bytes + sizeof(ushort);

    public void CopyTo(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(destination[Hash256.Bytes..], Index);
        TransactionId.CopyTo(destination);
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{TransactionId}:{Index}");
}

/// <summary>Spends an output. The sequence says how lock times bind; see <see cref="Finality"/>.</summary>
public readonly record struct TransactionInput(OutPoint Previous, uint Sequence = 0)
{
    public const int Bytes = OutPoint.Bytes + sizeof(uint);
}

/// <summary>Pays <paramref name="Value"/> to <paramref name="Owner"/>.</summary>
/// <param name="Value">Zero and one Sela are allowed by the chain.</param>
/// <param name="Owner">The account that may spend it.</param>
/// <param name="OutputLock">Zero, or the lock time its spender must at least have.</param>
/// <param name="Asset">Default means ELA, the only asset there is.</param>
public readonly record struct TransactionOutput(Sela Value, ProgramHash Owner, uint OutputLock = 0, Hash256 Asset = default)
{
    /// <summary>Bytes in the old format; one more, the type, in version 9.</summary>
    public const int MinBytes = Hash256.Bytes + sizeof(ulong) + sizeof(uint) + ProgramHash.Bytes;

    /// <summary>The asset id of ELA.</summary>
    public static readonly Hash256 Ela = new(Convert.FromHexString("b037db964a231458d2d6ffd5ea18944c4f90e63d547c5d3b9874df66a4ead0a3"));

    public Hash256 Asset { get; init; } = Asset.IsZero ? Ela : Asset;
}

/// <summary>Something said beside the payments. The data belong to the transaction.</summary>
[SuppressMessage("Naming", "CA1711:Identifiers should not have incorrect suffix", Justification = "The chain's word for it.")]
public readonly record struct TransactionAttribute(AttributeUsage Usage, ReadOnlyMemory<byte> Data)
{
    public bool Equals(TransactionAttribute other) => Usage == other.Usage && Data.Span.SequenceEqual(other.Data.Span);

    public override int GetHashCode() => HashCode.Combine(Usage, Data.Length);
}

/// <summary>What entitles to spend the inputs of one owner: the code its program hash is the hash of, and the parameter the code judges.</summary>
public readonly record struct TransactionProgram(ReadOnlyMemory<byte> Code, ReadOnlyMemory<byte> Parameter)
{
    public bool Equals(TransactionProgram other) => Code.Span.SequenceEqual(other.Code.Span) && Parameter.Span.SequenceEqual(other.Parameter.Span);

    public override int GetHashCode() => HashCode.Combine(Code.Length, Parameter.Length);
}
