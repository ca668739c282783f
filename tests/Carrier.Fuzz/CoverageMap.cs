using System.Numerics;
using System.Runtime.InteropServices;

namespace Carrier.Fuzz;

/// <summary>Which edges of the instrumented code an execution took, and which any has taken so far (AFL's map and its hit-count classes).</summary>
/// <remarks>The instrumented assemblies count into the bytes at <see cref="Attach"/>; one process, one thread, one map.</remarks>
internal sealed unsafe class CoverageMap : IDisposable
{
    /// <summary>What SharpFuzz's edge numbers are made for.</summary>
    private const int Edges = 1 << 16;

    private static readonly byte[] HitClass = MakeHitClasses();

    private readonly byte* _hits = (byte*)NativeMemory.AllocZeroed(Edges);
    private readonly byte[] _seen = new byte[Edges];

    /// <summary>Edges seen by any execution.</summary>
    public int SeenEdges { get; private set; }

    /// <summary>Makes instrumented code count here. Before it runs at all: without a map it faults.</summary>
    public void Attach() => SharpFuzz.Common.Trace.SharedMem = _hits;

    public void Clear()
    {
        new Span<byte>(_hits, Edges).Clear();
        SharpFuzz.Common.Trace.PrevLocation = 0;
    }

    /// <summary>Adds the last execution to what was seen; true when it took a new edge, or an old one a new order of magnitude of times.</summary>
    public bool TakeNew()
    {
        bool isNew = false;
        for (int at = 0; at < Edges; at += Vector<byte>.Count)
        {
            if (Vector.LoadUnsafe(ref *_hits, (nuint)at) != Vector<byte>.Zero)
            {
                isNew |= TakeNew(at, at + Vector<byte>.Count);
            }
        }

        return isNew;
    }

    public void Dispose()
    {
        SharpFuzz.Common.Trace.SharedMem = null;
        NativeMemory.Free(_hits);
    }

    private bool TakeNew(int start, int end)
    {
        bool isNew = false;
        for (int edge = start; edge < end; edge++)
        {
            byte hit = HitClass[_hits[edge]];
            if ((hit & ~_seen[edge]) != 0)
            {
                SeenEdges += _seen[edge] == 0 ? 1 : 0;
                _seen[edge] |= hit;
                isNew = true;
            }
        }

        return isNew;
    }

    // One bit a class: 1, 2, 3, 4-7, 8-15, 16-31, 32-127, 128 and more.
    private static byte[] MakeHitClasses()
    {
        byte[] classes = new byte[256];
        for (int hits = 1; hits < 256; hits++)
        {
            classes[hits] = hits switch { 1 => 1, 2 => 2, 3 => 4, < 8 => 8, < 16 => 16, < 32 => 32, < 128 => 64, _ => 128 };
        }

        return classes;
    }
}
