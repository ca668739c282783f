using Carrier.Core.Storage;

namespace Carrier.Tests.Storage;

/// <summary>One folder of a machine that can fail or lose power at any step: what was not flushed is lost, torn or kept, whichever is worst.</summary>
/// <remarks>Two views are kept: what a process sees, and what would be found after power came back. Contents become durable with the file's
/// flush, names with the folder's.</remarks>
internal sealed class ModelFileSystem : IFileSystem
{
    private readonly Dictionary<string, ModelFile> _seen = [];
    private readonly Dictionary<string, ModelFile> _durable = [];

    /// <summary>The step that fails, counted from zero; -1 for none.</summary>
    public int FailAtStep { get; init; } = -1;

    /// <summary>Whether the failure is a stop of the machine: nothing after it happens, not even the cleaning up.</summary>
    public bool FailureIsPowerLoss { get; init; }

    public List<string> Steps { get; } = [];

    public IEnumerable<string> Names => _seen.Keys;

    public void Seed(string path, byte[] contents) => _seen[path] = _durable[path] = new ModelFile(this) { Seen = contents, Durable = contents };

    public byte[]? See(string path) => _seen.GetValueOrDefault(path)?.Seen;

    /// <summary>Every state a restart may find: un-flushed names are either still the old ones or already the new ones.</summary>
    public IEnumerable<byte[]?> AfterPowerLoss(string path) =>
        [_durable.GetValueOrDefault(path)?.Durable, _seen.GetValueOrDefault(path)?.Durable];

    public INewFile CreateNew(string path)
    {
        Step("create");
        var file = new ModelFile(this);
        _seen.Add(path, file);
        return file;
    }

    public void Rename(string from, string to)
    {
        Step("rename");
        _seen[to] = _seen[from];
        _seen.Remove(from);
    }

    public void FlushFolder(string folder)
    {
        Step("flush folder");
        _durable.Clear();
        foreach ((string path, ModelFile file) in _seen)
        {
            _durable.Add(path, file);
        }
    }

    public void Delete(string path)
    {
        Step("delete");
        _seen.Remove(path);
    }

    private void Step(string name)
    {
        Steps.Add(name);
        int step = Steps.Count - 1;
        if (step == FailAtStep || (FailureIsPowerLoss && FailAtStep >= 0 && step > FailAtStep))
        {
            throw new IOException("Input/output error", 5);
        }
    }

    private sealed class ModelFile(ModelFileSystem owner) : INewFile
    {
        private static readonly byte[] Torn = "torn"u8.ToArray();

        public byte[] Seen { get; set; } = [];

        public byte[] Durable { get; set; } = Torn;

        public void Write(ReadOnlySpan<byte> contents)
        {
            Seen = contents[..(contents.Length / 2)].ToArray(); // a write that fails may have written half
            owner.Step("write");
            Seen = contents.ToArray();
        }

        public void Flush()
        {
            owner.Step("flush");
            Durable = Seen;
        }

        public void Dispose()
        {
        }
    }
}
