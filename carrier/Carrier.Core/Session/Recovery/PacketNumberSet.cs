using System.Numerics;
using System.Runtime.CompilerServices;

namespace Carrier.Core.Session.Recovery;

/// <summary>
/// A set of packet numbers within a window of <paramref name="capacity"/> (a power of two, at least <see cref="MinCapacity"/>): a ring of bits. Finding
/// the next member skips 64 absent numbers a word, and vectors of words, so a sparse or empty stretch costs next to nothing.
/// </summary>
internal sealed class PacketNumberSet(int capacity)
{
    public const int MinCapacity = WordBits;

    private const int WordBits = 64;

    private readonly ulong[] _words = new ulong[capacity / WordBits];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Contains(ulong packetNumber) => (Word(packetNumber) >> (int)(packetNumber % WordBits) & 1) != 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(ulong packetNumber) => Word(packetNumber) |= 1UL << (int)(packetNumber % WordBits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Remove(ulong packetNumber) => Word(packetNumber) &= ~(1UL << (int)(packetNumber % WordBits));

    /// <summary>The smallest member in [from, end), or false. The stretch is no longer than the capacity.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryNext(ulong from, ulong end, out ulong packetNumber)
    {
        packetNumber = from;
        if (from >= end)
        {
            return false;
        }

        // The rest of the first word, then whole words: two spans at most, the ring wrapping between them.
        ulong bits = Word(from) >> (int)(from % WordBits);
        if (bits != 0)
        {
            packetNumber = from + (ulong)BitOperations.TrailingZeroCount(bits);
            return packetNumber < end;
        }

        ulong next = (from / WordBits * WordBits) + WordBits;
        while (next < end)
        {
            int index = IndexOf(next);
            int words = (int)Math.Min((end - next + WordBits - 1) / WordBits, (ulong)(_words.Length - index));
            int skipped = _words.AsSpan(index, words).IndexOfAnyExcept(0UL);
            if (skipped >= 0)
            {
                packetNumber = next + ((ulong)skipped * WordBits) + (ulong)BitOperations.TrailingZeroCount(_words[index + skipped]);
                return packetNumber < end;
            }

            next += (ulong)words * WordBits;
        }

        return false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref ulong Word(ulong packetNumber) => ref _words[IndexOf(packetNumber)];

    private int IndexOf(ulong packetNumber) => (int)(packetNumber / WordBits) & (_words.Length - 1);
}
