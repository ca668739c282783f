using System.IO.Pipelines;

namespace Carrier.Tests.Agent;

/// <summary>One stream with two ends, in memory.</summary>
internal sealed class DuplexPair
{
    public DuplexPair()
    {
        var options = new PipeOptions(pauseWriterThreshold: 1 << 20, resumeWriterThreshold: 1 << 19, useSynchronizationContext: false);
        var there = new Pipe(options);
        var back = new Pipe(options);
        Left = new End(back.Reader, there.Writer);
        Right = new End(there.Reader, back.Writer);
    }

    public IDuplexPipe Left { get; }

    public IDuplexPipe Right { get; }

    private sealed class End(PipeReader input, PipeWriter output) : IDuplexPipe
    {
        public PipeReader Input { get; } = input;

        public PipeWriter Output { get; } = output;
    }
}
