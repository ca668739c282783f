using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using Carrier.Chain.Primitives;

namespace Carrier.Chain.Channels;

/// <summary>What a channel's shell does beside writing and sending: broadcasting, serving, escrow.</summary>
public delegate ValueTask ChannelAction(ChannelEffect effect, CancellationToken cancellationToken);

/// <summary>Drives one channel machine over one byte stream to the other side and one store. Writes come in groups: all that arrived together shares one.</summary>
/// <remarks>
/// Members may be called from any thread; they take turns. A conversation ends with its stream, and a channel goes on in the next one. An error of the store
/// ends it too, with nothing of the failed write sent.
/// </remarks>
public sealed class ChannelConversation(ChannelSide machine, ChannelStore store, IDuplexPipe stream, ChannelAction perform) : IDisposable
{
    /// <summary>Vouchers of one group, so that a long row of payments does not make the other side wait.</summary>
    private const int MaxGroup = 1_024;

    private readonly SemaphoreSlim _turn = new(1);

    /// <summary>Raised, within its turn, after a group of messages was handled and all they led to was done.</summary>
    public event EventHandler? Handled;

    /// <summary>Messages that made no sense to the machine.</summary>
    public long Dropped { get; private set; }

    /// <summary>Writes to the store.</summary>
    public long Writes { get; private set; }

    /// <summary>Says hello and handles what comes until the stream ends.</summary>
    /// <exception cref="IOException">The store could not write, or the stream broke.</exception>
    /// <exception cref="InvalidDataException">The other side sent what is no message.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await TurnAsync(machine.Connected, cancellationToken).ConfigureAwait(false);
        while (true)
        {
            ReadResult read = await stream.Input.ReadAsync(cancellationToken).ConfigureAwait(false);
            await TakeTurnAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                SequencePosition end = HandleAll(read.Buffer);
                await ActAsync(cancellationToken).ConfigureAwait(false);
                stream.Input.AdvanceTo(end, read.Buffer.End);
                Handled?.Invoke(this, EventArgs.Empty);
            }
            finally
            {
                _ = _turn.Release();
            }

            if (read.IsCompleted)
            {
                return;
            }
        }
    }

    /// <summary>Runs <paramref name="change"/> on the machine, then does what it wants done.</summary>
    public async Task TurnAsync(Action change, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(change);
        await TakeTurnAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            change();
            await ActAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _ = _turn.Release();
        }
    }

    /// <summary>Pays the same amount many times, a voucher each; groups of them share a write.</summary>
    /// <returns>How many were paid before the channel refused one.</returns>
    public async Task<int> PayAsync(PayerChannel payer, Sela amount, int count, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(payer);
        int paid = 0;
        bool isRefused = false;
        while (paid < count && !isRefused)
        {
            int group = Math.Min(count - paid, MaxGroup);
            await TurnAsync(
                () =>
                {
                    for (int i = 0; i < group && !isRefused; i++)
                    {
                        isRefused = payer.TryPay(amount) != PaymentRefusal.None;
                        paid += isRefused ? 0 : 1;
                    }
                },
                cancellationToken).ConfigureAwait(false);
        }

        return paid;
    }

    public void Dispose() => _turn.Dispose();

    private Task TakeTurnAsync(CancellationToken cancellationToken) => _turn.WaitAsync(cancellationToken);

    /// <summary>Hands every whole message to the machine; returns where the first that is not whole begins.</summary>
    private SequencePosition HandleAll(ReadOnlySequence<byte> buffer)
    {
        Span<byte> head = stackalloc byte[ChannelCodec.LengthBytes];
        while (buffer.Length >= ChannelCodec.LengthBytes)
        {
            buffer.Slice(0, ChannelCodec.LengthBytes).CopyTo(head);
            uint length = BinaryPrimitives.ReadUInt32BigEndian(head);
            if (length > ChannelLimits.MaxMessageBytes)
            {
                throw new InvalidDataException("The other side of the channel sent a message that is too long.");
            }

            if (buffer.Length < ChannelCodec.LengthBytes + length)
            {
                break;
            }

            Handle(buffer.Slice(ChannelCodec.LengthBytes, length));
            buffer = buffer.Slice(ChannelCodec.LengthBytes + length);
        }

        return buffer.Start;
    }

    private void Handle(ReadOnlySequence<byte> bytes)
    {
        byte[]? rented = bytes.IsSingleSegment ? null : ArrayPool<byte>.Shared.Rent((int)bytes.Length);
        if (rented is not null)
        {
            bytes.CopyTo(rented);
        }

        bool read = ChannelCodec.TryRead(rented is null ? bytes.FirstSpan : rented.AsSpan(0, (int)bytes.Length), out ChannelMessage? message);
        if (rented is not null)
        {
            ArrayPool<byte>.Shared.Return(rented);
        }

        if (!read)
        {
            throw new InvalidDataException("The other side of the channel sent what is no message.");
        }

        Dropped += machine.Handle(message!) ? 0 : 1;
    }

    private async ValueTask ActAsync(CancellationToken cancellationToken)
    {
        bool hasSent = false;
        while (machine.TryEffect(out ChannelEffect? effect))
        {
            switch (effect)
            {
                case PersistEffect persist:
                    store.Write(persist.Record);
                    Writes++;
                    machine.Persisted(persist.Ticket);
                    break;
                case SendEffect send:
                    Write(send.Message);
                    hasSent = true;
                    break;
                default:
                    await perform(effect, cancellationToken).ConfigureAwait(false);
                    break;
            }
        }

        if (hasSent)
        {
            _ = await stream.Output.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private void Write(ChannelMessage message)
    {
        int room = message is OpenMessage ? ChannelLimits.MaxMessageBytes : ChannelCodec.MaxShortBytes;
        Span<byte> destination = stream.Output.GetSpan(ChannelCodec.LengthBytes + room);
        stream.Output.Advance(ChannelCodec.WriteFramed(message, destination));
    }
}
