using System.Buffers;
using System.IO.Pipelines;
using Carrier.Chain.Primitives;

namespace Carrier.Chain.Channels;

/// <summary>What a channel's shell does beside writing and sending: broadcasting, serving, escrow. It is called within the channel's turn and must not wait for another turn.</summary>
public delegate ValueTask ChannelAction(ChannelEffect effect);

/// <summary>Drives one channel machine for as long as the channel lasts: over one store, and over one byte stream to the other side at a time, or none.</summary>
/// <remarks>
/// Members may be called from any thread; they take turns. Writes come in groups: all that arrived together shares one. What is to be sent while there is no
/// stream is dropped: both sides say all that matters when the next one opens. Whoever cancels gives up waiting for its turn: a turn that has begun is done to
/// its end, or a voucher would be on this disk and never on its way. An error of the store is final; nothing of the failed write is sent, and every
/// later turn throws it again.
/// </remarks>
public sealed class ChannelShell(ChannelSide machine, ChannelStore store, ChannelAction perform, TimeSpan? peerPatience = null) : IDisposable
{
    /// <summary>How long the other side may leave what it is sent unread. A turn must end: whoever stops reading must not keep this side from closing in time.</summary>
    public static readonly TimeSpan DefaultPeerPatience = TimeSpan.FromSeconds(10);

    /// <summary>Vouchers of one group, so that a long row of payments does not make the other side wait.</summary>
    private const int MaxGroup = 1_024;

    private readonly SemaphoreSlim _turn = new(1);
    private readonly TimeSpan _peerPatience = peerPatience ?? DefaultPeerPatience;
    private PipeWriter? _output;
    private CancellationTokenSource? _reading;

    // What broke the stream that _reading is of: its reader was cancelled and tells.
    private Exception? _broken;
    private Exception? _failure;

    /// <summary>Raised within its turn, after something was handled and all it led to was done.</summary>
    public event EventHandler? Handled;

    /// <summary>Messages that made no sense to the machine.</summary>
    public long Dropped { get; private set; }

    /// <summary>Writes to the store.</summary>
    public long Writes { get; private set; }

    /// <summary>Whether the store could not write: nothing is done any more before a restart.</summary>
    public bool HasFailed => _failure is not null;

    /// <summary>Whether there is a stream to the other side.</summary>
    public bool IsConnected => Volatile.Read(ref _output) is not null;

    /// <summary>Says hello on a new stream and handles what comes until it ends; a stream of before ends with that.</summary>
    /// <exception cref="IOException">The store could not write, or the stream broke.</exception>
    /// <exception cref="InvalidDataException">The other side sent what is no message.</exception>
    /// <exception cref="OperationCanceledException">Cancelled, or a newer stream took over.</exception>
    public async Task RunAsync(IDuplexPipe stream, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(stream);
        using var reading = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            await TurnAsync(() => Attach(stream, reading), reading.Token).ConfigureAwait(false);
            while (true)
            {
                ReadResult read = await stream.Input.ReadAsync(reading.Token).ConfigureAwait(false);
                SequencePosition end = default;
                await TurnAsync(() => end = HandleAll(read.Buffer), reading.Token).ConfigureAwait(false);
                stream.Input.AdvanceTo(end, read.Buffer.End);
                if (read.IsCompleted)
                {
                    return;
                }
            }
        }
        catch (OperationCanceledException) when (_broken is not null && !cancellationToken.IsCancellationRequested)
        {
            throw new IOException("The stream to the other side of the channel broke.", _broken);
        }
        finally
        {
            await _turn.WaitAsync(CancellationToken.None).ConfigureAwait(false);
            Detach(reading);
            _ = _turn.Release();
        }
    }

    /// <summary>Runs <paramref name="change"/> on the machine, then does what it wants done.</summary>
    /// <exception cref="IOException">The store could not write.</exception>
    public async Task TurnAsync(Action change, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(change);
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            ThrowIfFailed();
            change();
            await ActAsync().ConfigureAwait(false);
            Handled?.Invoke(this, EventArgs.Empty);
        }
        finally
        {
            _ = _turn.Release();
        }
    }

    /// <summary>Pays the same amount many times, a voucher each; groups of them share a write.</summary>
    /// <returns>How many were paid, and why not more.</returns>
    public async Task<(int Paid, PaymentRefusal Refusal)> PayAsync(PayerChannel payer, Sela amount, int count, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(payer);
        int paid = 0;
        PaymentRefusal refusal = PaymentRefusal.None;
        while (paid < count && refusal == PaymentRefusal.None)
        {
            int group = Math.Min(count - paid, MaxGroup);
            await TurnAsync(
                () =>
                {
                    for (int i = 0; i < group && refusal == PaymentRefusal.None; i++)
                    {
                        refusal = payer.TryPay(amount);
                        paid += refusal == PaymentRefusal.None ? 1 : 0;
                    }
                },
                cancellationToken).ConfigureAwait(false);
        }

        return (paid, refusal);
    }

    /// <summary>The caller has ended all that ran here.</summary>
    public void Dispose() => _turn.Dispose();

    private void Attach(IDuplexPipe stream, CancellationTokenSource reading)
    {
        _reading?.Cancel();
        _reading = reading;
        _broken = null;
        Volatile.Write(ref _output, stream.Output);
        machine.Connected();
    }

    private void Detach(CancellationTokenSource reading)
    {
        if (_reading == reading)
        {
            _reading = null;
            Volatile.Write(ref _output, null);
        }
    }

    /// <summary>Hands every whole message to the machine; returns where the first that is not whole begins.</summary>
    private SequencePosition HandleAll(ReadOnlySequence<byte> buffer)
    {
        FrameReading reading;
        while ((reading = ChannelFrames.TryRead(ref buffer, out ChannelMessage? message)) == FrameReading.Read)
        {
            Dropped += machine.Handle(message!) ? 0 : 1;
        }

        return reading == FrameReading.Incomplete
            ? buffer.Start
            : throw new InvalidDataException("The other side of the channel sent what is no message.");
    }

    private async ValueTask ActAsync()
    {
        PipeWriter? output = _output;
        bool hasSent = false;
        while (machine.TryEffect(out ChannelEffect? effect))
        {
            switch (effect)
            {
                case PersistEffect persist:
                    Persist(persist);
                    break;
                case SendEffect send when output is not null:
                    Write(output, send.Message);
                    hasSent = true;
                    break;
                case SendEffect:
                    break;
                default:
                    await perform(effect).ConfigureAwait(false);
                    break;
            }
        }

        if (hasSent)
        {
            await FlushAsync(output!).ConfigureAwait(false);
        }
    }

    private void Persist(PersistEffect persist)
    {
        try
        {
            store.Write(persist.Record);
        }
        catch (IOException e)
        {
            _failure = e;
            throw;
        }

        Writes++;
        machine.Persisted(persist.Ticket);
    }

    /// <summary>A stream that broke or is not read any more is nobody's failure here: it is left, its reader ends, and whoever has the turn goes on.</summary>
    private async ValueTask FlushAsync(PipeWriter output)
    {
        try
        {
            ValueTask<FlushResult> flush = output.FlushAsync(CancellationToken.None);
            _ = flush.IsCompleted
                ? await flush.ConfigureAwait(false)
                : await flush.AsTask().WaitAsync(_peerPatience).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or TimeoutException)
        {
            Volatile.Write(ref _output, null);
            _broken = e;
            _reading?.Cancel();
        }
    }

    private void ThrowIfFailed()
    {
        if (_failure is not null)
        {
            throw new IOException("The channel's store failed: nothing is done any more before a restart.", _failure);
        }
    }

    private static void Write(PipeWriter output, ChannelMessage message)
    {
        int room = message is OpenMessage ? ChannelLimits.MaxMessageBytes : ChannelCodec.MaxShortBytes;
        Span<byte> destination = output.GetSpan(ChannelCodec.LengthBytes + room);
        output.Advance(ChannelCodec.WriteFramed(message, destination));
    }
}
