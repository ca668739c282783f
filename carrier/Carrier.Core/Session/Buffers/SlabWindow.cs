using System.Diagnostics;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Carrier.Core.Session.Buffers;

/// <summary>
/// A window of a stream's bytes kept in slabs at their place: offset o lives in slab o / 64 KiB at o % 64 KiB. Slabs are rented
/// when first written and returned as the window's front passes them, so a sparse window costs only the slabs it touches.
/// Owned by one <see cref="SendBuffer"/> or <see cref="ReceiveBuffer"/>.
/// </summary>
internal sealed class SlabWindow(SlabPool pool)
{
    private const int SlabBytes = SlabPool.SlabBytes;
    private const int InitialSlots = 2;

    // A ring by slab number; a null slot has nothing written yet.
    private byte[]?[] _slots = new byte[]?[InitialSlots];

    // No slab before this number is held.
    private long _firstSlab;

    // No slab from this number on is held.
    private long _endSlab;

    /// <summary>Makes [start, end) writable; start is not before the front. False when the pool is exhausted.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryCommit(long start, long end)
    {
        long last = (end - 1) / SlabBytes;
        if (last - _firstSlab >= _slots.Length)
        {
            Grow(last - _firstSlab + 1);
        }

        for (long slab = start / SlabBytes; slab <= last; slab++)
        {
            ref byte[]? slot = ref Slot(slab);
            if (slot is null)
            {
                if (!pool.TryRent(out byte[] rented))
                {
                    return false;
                }

                slot = rented;
                _endSlab = Math.Max(_endSlab, slab + 1);
            }
        }

        return true;
    }

    /// <summary>Writes bytes that were committed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        while (!source.IsEmpty)
        {
            Span<byte> piece = At(offset);
            int count = Math.Min(piece.Length, source.Length);
            source[..count].CopyTo(piece);
            source = source[count..];
            offset += count;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Read(long offset, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            ReadOnlySpan<byte> piece = At(offset);
            int count = Math.Min(piece.Length, destination.Length);
            piece[..count].CopyTo(destination);
            destination = destination[count..];
            offset += count;
        }
    }

    /// <summary>The committed bytes from <paramref name="offset"/> to the end of its slab.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Span<byte> At(long offset)
    {
        byte[]? slab = Slot(offset / SlabBytes);
        Debug.Assert(slab is not null, "Only committed bytes are touched.");
        return slab.AsSpan((int)(offset % SlabBytes));
    }

    /// <summary>Returns the slabs that end at or before <paramref name="front"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void FreeBefore(long front)
    {
        long slab = front / SlabBytes;
        for (; _firstSlab < Math.Min(slab, _endSlab); _firstSlab++)
        {
            Free(_firstSlab);
        }

        _firstSlab = Math.Max(_firstSlab, slab);
        _endSlab = Math.Max(_endSlab, _firstSlab);
    }

    /// <summary>Returns every slab; the window's front stays where it is and it may be written again.</summary>
    public void FreeAll()
    {
        for (long slab = _firstSlab; slab < _endSlab; slab++)
        {
            Free(slab);
        }

        _endSlab = _firstSlab;
    }

    private void Free(long slab)
    {
        ref byte[]? slot = ref Slot(slab);
        if (slot is not null)
        {
            pool.Return(slot);
            slot = null;
        }
    }

    private ref byte[]? Slot(long slab) => ref _slots[(int)(slab & (_slots.Length - 1))];

    private void Grow(long slabs)
    {
        var slots = new byte[]?[BitOperations.RoundUpToPowerOf2((ulong)slabs)];
        for (long slab = _firstSlab; slab < _endSlab; slab++)
        {
            slots[(int)(slab & (slots.Length - 1))] = Slot(slab);
        }

        _slots = slots;
    }
}
