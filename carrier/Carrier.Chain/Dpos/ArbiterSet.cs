using System.Collections.Frozen;
using System.Collections.Immutable;
using Carrier.Chain.Primitives;
using Carrier.Chain.Transactions;
using Carrier.Core.Identity;

namespace Carrier.Chain.Dpos;

/// <summary>The arbiters of a turn.</summary>
public sealed class ArbiterSet
{
    /// <summary>Arbiters in a set; main has 36.</summary>
    public const int MaxArbiters = TransactionLimits.MaxArbiters;

    private readonly FrozenSet<OwnerPublicKey> _keys;

    /// <param name="from">The first height they decide.</param>
    /// <param name="seats">How many seats there are, with the vacant ones: the majority is counted of all.</param>
    /// <param name="keys">Who sits.</param>
    public ArbiterSet(uint from, int seats, IEnumerable<OwnerPublicKey> keys)
    {
        _keys = keys.ToFrozenSet();
        ArgumentOutOfRangeException.ThrowIfLessThan(seats, _keys.Count);
        From = from;
        Seats = seats;
    }

    public uint From { get; }

    public int Seats { get; }

    public IReadOnlyCollection<OwnerPublicKey> Keys => _keys;

    /// <summary>Two thirds of the seats, rounded down: a majority is more.</summary>
    public int MajorityFloor => Seats * 2 / 3;

    public bool Contains(OwnerPublicKey key) => _keys.Contains(key);

    /// <summary>Reads who decides from the announced height on. Its proof (that it is in a block) is the caller's to have checked.</summary>
    /// <remarks>
    /// <code>
    ///  working height 4 | varint n, n × bytes council key (empty: vacant) | varint n, n × bytes arbiter key
    /// </code>
    /// The second list is the whole set, council members included.
    /// </remarks>
    public static bool TryRead(Transaction announcement, out ArbiterSet? arbiters)
    {
        ArgumentNullException.ThrowIfNull(announcement);
        arbiters = null;
        var reader = new ByteReader(announcement.Payload.Span);
        if (announcement.Type != TransactionType.NextTurnDposInfo
            || !reader.TryReadUInt32(out uint from)
            || !TryReadKeys(ref reader, out _, out _)
            || !TryReadKeys(ref reader, out int seats, out ImmutableArray<OwnerPublicKey> keys)
            || seats == 0)
        {
            return false;
        }

        arbiters = new ArbiterSet(from, seats, keys);
        return true;
    }

    private static bool TryReadKeys(ref ByteReader reader, out int seats, out ImmutableArray<OwnerPublicKey> keys)
    {
        keys = [];
        if (!reader.TryReadCount(MaxArbiters, minItemBytes: 1, out seats))
        {
            return false;
        }

        var read = ImmutableArray.CreateBuilder<OwnerPublicKey>();
        for (int i = 0; i < seats; i++)
        {
            if (!reader.TryReadBytes(OwnerPublicKey.Bytes, out ReadOnlySpan<byte> bytes))
            {
                return false;
            }

            if (bytes.IsEmpty)
            {
                continue;
            }

            if (!OwnerPublicKey.TryFromBytes(bytes, out OwnerPublicKey key))
            {
                return false;
            }

            read.Add(key);
        }

        keys = read.ToImmutable();
        return true;
    }
}
