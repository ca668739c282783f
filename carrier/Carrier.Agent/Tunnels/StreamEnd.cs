namespace Carrier.Agent.Tunnels;

/// <summary>A stream to receive from and one to send to. Disposing what is sent to is its end; both are disposed with this.</summary>
internal sealed class StreamEnd(Stream input, Stream output) : LocalEnd
{
    public override ValueTask WaitAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public override ValueTask<int> ReceiveAsync(Memory<byte> destination, CancellationToken cancellationToken) =>
        input.ReadAsync(destination, cancellationToken);

    public override ValueTask SendAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken) => output.WriteAsync(source, cancellationToken);

    public override ValueTask EndSendingAsync() => output.DisposeAsync();

    /// <summary>Nothing: whoever is at these streams hears how it ended in words.</summary>
    public override void Reset()
    {
    }

    public override async ValueTask DisposeAsync()
    {
        await input.DisposeAsync().ConfigureAwait(false);
        await output.DisposeAsync().ConfigureAwait(false);
    }
}
