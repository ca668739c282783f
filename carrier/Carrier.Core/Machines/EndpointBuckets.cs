using System.Buffers.Binary;

namespace Carrier.Core;

/// <summary>Token buckets for any number of endpoints or source units in constant memory: a keyed hash picks one of a fixed set of slots.</summary>
/// <remarks>
/// A table with an entry an address is itself a target: spoofed sources fill it. Here they cannot; two addresses that share a slot share
/// its rate, and which do is secret, so nobody can be chosen as a neighbour.
/// </remarks>
public sealed class EndpointBuckets
{
    /// <summary>Slots by default: 32 KiB, one in 4,096 that two given addresses share.</summary>
    public const int DefaultSlots = 4096;

    private readonly TokenBucket[] _slots;
    private readonly TokenRate _rate;
    private readonly ulong _key0;
    private readonly ulong _key1;

    /// <param name="rate">The rate of every slot.</param>
    /// <param name="random">Gives the hash key.</param>
    /// <param name="slots">A power of two.</param>
    public EndpointBuckets(TokenRate rate, RandomSource random, int slots = DefaultSlots)
    {
        ArgumentNullException.ThrowIfNull(random);
        ArgumentOutOfRangeException.ThrowIfNotEqual(System.Numerics.BitOperations.IsPow2(slots), true, nameof(slots));
        _slots = new TokenBucket[slots];
        _rate = rate;
        _key0 = random.NextUInt64();
        _key1 = random.NextUInt64();
    }

    public bool CanSpend(Instant now, Endpoint key, double cost = 1) => Slot(key).CanSpend(now, _rate, cost);

    public void Spend(Instant now, Endpoint key, double cost = 1) => Slot(key).Spend(now, _rate, cost);

    public bool TrySpend(Instant now, Endpoint key, double cost = 1) => Slot(key).TrySpend(now, _rate, cost);

    /// <inheritdoc cref="TokenBucket.Return"/>
    public void Return(Endpoint key, double cost = 1) => Slot(key).Return(_rate, cost);

    private ref TokenBucket Slot(Endpoint key)
    {
        Span<byte> address = stackalloc byte[16];
        address.Clear();
        _ = key.WriteAddress(address);
        ulong high = BinaryPrimitives.ReadUInt64LittleEndian(address);
        ulong low = BinaryPrimitives.ReadUInt64LittleEndian(address[8..]) + key.Port;
        ulong hash = Fold(Fold(high ^ _key0, _key1 | 1) ^ low, _key0 | 1);
        return ref _slots[hash & (ulong)(_slots.Length - 1)];
    }

    private static ulong Fold(ulong left, ulong right)
    {
        ulong high = Math.BigMul(left, right, out ulong low);
        return high ^ low;
    }
}
