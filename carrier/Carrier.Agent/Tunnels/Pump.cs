using System.Buffers;
using System.IO.Pipelines;

namespace Carrier.Agent.Tunnels;

/// <summary>Carries the bytes of one connection between a stream and the local end, until both directions have ended or either broke.</summary>
/// <remarks>
/// An end is passed on as an end and the other direction goes on (TCP half-close ↔ FIN of the stream). Anything else cuts both off on both sides
/// (RST ↔ reset and stop of the stream). Nothing is read that the other side has no room for.
/// </remarks>
internal sealed class Pump
{
    /// <summary>The code streams are reset with when the connection behind them was cut off.</summary>
    public const ulong ConnectionReset = 1;

    /// <summary>Less room than this in a slab of the pipe is left for the next slab: small reads cost more than memory.</summary>
    private const int LeastRead = 16 << 10;

    private readonly IDuplexPipe _tunnel;
    private readonly LocalEnd _local;
    private readonly TunnelMeter _meter;
    private readonly CancellationTokenSource _broken;
    private int _end = (int)TunnelEnd.Closed;

    private Pump(IDuplexPipe tunnel, LocalEnd local, TunnelMeter meter, CancellationTokenSource broken)
    {
        _tunnel = tunnel;
        _local = local;
        _meter = meter;
        _broken = broken;
    }

    /// <summary>Runs to the end and leaves both sides completed. Never throws: how it ended is the result.</summary>
    /// <param name="readsAnswer">Whether a <see cref="TunnelAnswer"/> comes before the peer's bytes; ours need not wait for it.</param>
    public static async Task<TunnelEnd> RunAsync(
        IDuplexPipe tunnel, LocalEnd local, TunnelMeter meter, bool readsAnswer, CancellationToken cancellationToken)
    {
        using var broken = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var pump = new Pump(tunnel, local, meter, broken);
        await Task.WhenAll(pump.SendAsync(), pump.ReceiveAsync(readsAnswer)).ConfigureAwait(false);
        var end = (TunnelEnd)pump._end;
        if (end == TunnelEnd.Closed)
        {
            await tunnel.Input.CompleteAsync().ConfigureAwait(false);
        }
        else
        {
            CutOff(tunnel);
            local.Reset();
        }

        return end;
    }

    /// <summary>Gives both directions of a stream up, and lets the peer know that it was no orderly end.</summary>
    public static void CutOff(IDuplexPipe tunnel)
    {
        var cut = new CarrierException(CarrierError.StreamReset, "The connection was cut off.", ConnectionReset);
        tunnel.Output.Complete(cut);
        tunnel.Input.Complete(cut);
    }

    /// <summary>Local to network.</summary>
    private async Task SendAsync()
    {
        PipeWriter output = _tunnel.Output;
        CancellationToken cancellationToken = _broken.Token;
        try
        {
            while (true)
            {
                int read;
                try
                {
                    await _local.WaitAsync(cancellationToken).ConfigureAwait(false);
                    read = await _local.ReceiveAsync(output.GetMemory(LeastRead), cancellationToken).ConfigureAwait(false);
                }
                catch (IOException)
                {
                    await BreakAsync(TunnelEnd.LocalReset).ConfigureAwait(false);
                    return;
                }

                if (read == 0)
                {
                    await output.CompleteAsync().ConfigureAwait(false);
                    return;
                }

                output.Advance(read);
                FlushResult flushed = await output.FlushAsync(cancellationToken).ConfigureAwait(false);
                if (flushed.IsCompleted)
                {
                    await BreakAsync(TunnelEnd.PeerReset).ConfigureAwait(false);
                    return;
                }

                await _meter.GiveOutAsync(read, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (IOException)
        {
            await BreakAsync(TunnelEnd.PeerReset).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await BreakAsync(TunnelEnd.Stopped).ConfigureAwait(false);
        }
    }

    /// <summary>Network to local.</summary>
    private async Task ReceiveAsync(bool readsAnswer)
    {
        CancellationToken cancellationToken = _broken.Token;
        try
        {
            if (readsAnswer && await ReadAnswerAsync(_tunnel.Input, cancellationToken).ConfigureAwait(false) is var outcome and not TunnelOutcome.Open)
            {
                await BreakAsync(EndOf(outcome)).ConfigureAwait(false);
                return;
            }

            while (true)
            {
                ReadResult result = await _tunnel.Input.ReadAsync(cancellationToken).ConfigureAwait(false);
                if (!await TryDeliverAsync(result, cancellationToken).ConfigureAwait(false))
                {
                    await BreakAsync(TunnelEnd.LocalReset).ConfigureAwait(false);
                    return;
                }

                if (result.IsCompleted)
                {
                    return;
                }
            }
        }
        catch (IOException)
        {
            await BreakAsync(TunnelEnd.PeerReset).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await BreakAsync(TunnelEnd.Stopped).ConfigureAwait(false);
        }
    }

    private async ValueTask<bool> TryDeliverAsync(ReadResult result, CancellationToken cancellationToken)
    {
        ReadOnlySequence<byte> buffer = result.Buffer;
        int bytes = (int)buffer.Length;
        try
        {
            foreach (ReadOnlyMemory<byte> segment in buffer)
            {
                await _local.SendAsync(segment, cancellationToken).ConfigureAwait(false);
            }

            if (result.IsCompleted)
            {
                await _local.EndSendingAsync().ConfigureAwait(false);
            }
        }
        catch (IOException)
        {
            return false;
        }

        _tunnel.Input.AdvanceTo(buffer.End);
        await _meter.TakeInAsync(bytes, cancellationToken).ConfigureAwait(false);
        return true;
    }

    /// <summary>Reads the peer's answer; a stream that ends without one is a refusal.</summary>
    /// <exception cref="IOException">The stream was cut off.</exception>
    public static async ValueTask<TunnelOutcome> ReadAnswerAsync(PipeReader input, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(TunnelLimits.Patience);
        try
        {
            byte[]? answer = await Framing.TryReadAsync(input, TunnelLimits.MaxAnswerBytes, patience.Token).ConfigureAwait(false);
            return answer is not null && TunnelAnswer.TryParse(answer, out TunnelOutcome outcome) ? outcome : TunnelOutcome.Refused;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new IOException("The peer did not answer in time.");
        }
    }

    public static TunnelEnd EndOf(TunnelOutcome outcome) => outcome switch
    {
        TunnelOutcome.Busy => TunnelEnd.Busy,
        TunnelOutcome.TargetUnreachable => TunnelEnd.TargetUnreachable,
        _ => TunnelEnd.Refused,
    };

    /// <summary>The first reason is the one that counts; it stops the other direction.</summary>
    private Task BreakAsync(TunnelEnd end)
    {
        Interlocked.CompareExchange(ref _end, (int)end, (int)TunnelEnd.Closed);
        return _broken.CancelAsync();
    }
}

/// <summary>How a tunnel ended.</summary>
internal enum TunnelEnd
{
    /// <summary>Both directions came to their end.</summary>
    Closed,

    /// <summary>The connection on this machine was cut off.</summary>
    LocalReset,

    /// <summary>The connection at the peer was cut off, or the session was.</summary>
    PeerReset,

    /// <summary>It was stopped here.</summary>
    Stopped,

    /// <summary>A flow was silent for long.</summary>
    Idle,

    Refused,
    Busy,
    TargetUnreachable,

    /// <summary>No session with the peer came about.</summary>
    PeerUnreachable,
}
