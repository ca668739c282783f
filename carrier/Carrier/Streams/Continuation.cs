namespace Carrier.Streams;

/// <summary>Something of the application's to run, listed without an allocation; on one list at most.</summary>
internal abstract class Continuation : IThreadPoolWorkItem
{
    /// <summary>For the list it is on.</summary>
    internal Continuation? Next { get; set; }

    public abstract void Execute();
}
