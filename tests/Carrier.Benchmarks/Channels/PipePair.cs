using System.IO.Pipelines;

namespace Carrier.Benchmarks.Channels;

/// <summary>Two ends of one connection in this process, with back-pressure.</summary>
internal sealed class PipePair(PipeReader input, PipeWriter output) : IDuplexPipe
{
    public PipeReader Input { get; } = input;

    public PipeWriter Output { get; } = output;

    public static (IDuplexPipe One, IDuplexPipe Other) Create(int bytes)
    {
        var options = new PipeOptions(pauseWriterThreshold: bytes, resumeWriterThreshold: bytes / 2, useSynchronizationContext: false);
        var there = new Pipe(options);
        var back = new Pipe(options);
        return (new PipePair(back.Reader, there.Writer), new PipePair(there.Reader, back.Writer));
    }
}
