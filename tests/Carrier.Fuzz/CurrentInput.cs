using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;

namespace Carrier.Fuzz;

/// <summary>The input a worker is running, in a file mapped into memory: it costs a copy, and it outlives a worker that a stack overflow,
/// the memory limit or a hang takes down.</summary>
internal sealed unsafe class CurrentInput : IDisposable
{
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _bytes;

    private CurrentInput(string path)
    {
        _ = Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        _file = MemoryMappedFile.CreateFromFile(path, FileMode.Create, mapName: null, sizeof(int) + Corpus.MaxInputBytes);
        _view = _file.CreateViewAccessor();
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _bytes);
    }

    public static CurrentInput Open(FuzzTarget target) => new(PathOf(target));

    /// <summary>What the worker of a target ran last.</summary>
    public static byte[] Read(FuzzTarget target)
    {
        byte[] bytes = File.ReadAllBytes(PathOf(target));
        return bytes.AsSpan(sizeof(int), BinaryPrimitives.ReadInt32LittleEndian(bytes)).ToArray();
    }

    public void Write(ReadOnlySpan<byte> input)
    {
        BinaryPrimitives.WriteInt32LittleEndian(new Span<byte>(_bytes, sizeof(int)), input.Length);
        input.CopyTo(new Span<byte>(_bytes + sizeof(int), Corpus.MaxInputBytes));
    }

    public void Dispose()
    {
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file.Dispose();
    }

    private static string PathOf(FuzzTarget target) => Path.Combine(Corpus.Artifacts, "current", target.Name);
}
