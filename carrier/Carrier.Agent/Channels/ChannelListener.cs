using System.Buffers;
using System.IO.Pipelines;
using Carrier.Agent.Network;
using Carrier.Chain.Channels;
using Carrier.Core.Identity;

namespace Carrier.Agent.Channels;

/// <summary>Answers payers: finds out which channel a stream is about, meets new ones, and hands the stream to the channel.</summary>
/// <param name="find">The channel a message is about, if it is known and the peer is its payer.</param>
/// <param name="meet">Judges a proposal; the channel, or why not.</param>
internal sealed class ChannelListener(
    Func<TrustId, ChannelMessage, LiveChannel?> find, Func<TrustId, OpenMessage, CancellationToken, Task<(LiveChannel? Channel, ChannelRefusal Refusal)>> meet)
{
    public const string Protocol = "carrier/channel/1";

    /// <summary>Messages about unknown channels before a stream is given up: a resume, its proposal, and as many again.</summary>
    private const int MaxStrange = 4;

    /// <summary>How long a payer may take to say which channel it means.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Answers a session: its streams one after the other.</summary>
    public async Task AnswerAsync(IPeerSession session, CancellationToken cancellationToken)
    {
        while (await session.AcceptStreamAsync(cancellationToken).ConfigureAwait(false) is { } stream)
        {
            if (await FindAsync(session.Peer, stream, cancellationToken).ConfigureAwait(false) is { } channel)
            {
                await RunAsync(channel, stream, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                await EndAsync(stream).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Runs a channel over a stream until either ends. What ends it is the stream's own end; the channel goes on without one.</summary>
    public static async Task RunAsync(LiveChannel channel, IDuplexPipe stream, CancellationToken cancellationToken)
    {
        try
        {
            await channel.Shell.RunAsync(stream, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or InvalidDataException or OperationCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
        }
        catch (ChannelInvariantException e)
        {
            channel.Tell(e.Message);
        }

        await EndAsync(stream).ConfigureAwait(false);
    }

    private static async Task EndAsync(IDuplexPipe stream)
    {
        await stream.Output.CompleteAsync().ConfigureAwait(false);
        await stream.Input.CompleteAsync().ConfigureAwait(false);
    }

    /// <summary>The channel a stream is about; null when there is none to talk about.</summary>
    private async Task<LiveChannel?> FindAsync(TrustId peer, IDuplexPipe stream, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        try
        {
            for (int strange = 0; strange < MaxStrange && await PeekAsync(stream.Input, patience.Token).ConfigureAwait(false) is { } first; strange++)
            {
                (LiveChannel? channel, ChannelMessage? answer) = await JudgeAsync(peer, first.Message, patience.Token).ConfigureAwait(false);
                // What is about a channel stays unread: it is the channel's own to handle, the proposal that made it too, since only on this stream can it accept.
                stream.Input.AdvanceTo(channel is null ? first.End : first.Begin);
                if (channel is not null)
                {
                    return channel;
                }

                await SendAsync(answer!, stream.Output, patience.Token).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
        }

        return null;
    }

    /// <summary>The channel a message is about, a new one if it proposes that; else what to answer: a channel that is not known here is proposed again.</summary>
    private async Task<(LiveChannel? Channel, ChannelMessage? Answer)> JudgeAsync(TrustId peer, ChannelMessage message, CancellationToken cancellationToken)
    {
        if (find(peer, message) is { } known)
        {
            return (known, null);
        }

        if (message is not OpenMessage open)
        {
            return (null, new UnknownMessage(message.Channel));
        }

        (LiveChannel? met, ChannelRefusal refusal) = await meet(peer, open, cancellationToken).ConfigureAwait(false);
        return (met, met is null ? new RefuseMessage(message.Channel, refusal) : null);
    }

    private static async Task SendAsync(ChannelMessage message, PipeWriter output, CancellationToken cancellationToken)
    {
        output.Advance(ChannelCodec.WriteFramed(message, output.GetSpan(ChannelCodec.LengthBytes + ChannelCodec.MaxShortBytes)));
        _ = await output.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The first message, still unread; null when there is none.</summary>
    private static async Task<FirstMessage?> PeekAsync(PipeReader input, CancellationToken cancellationToken)
    {
        while (true)
        {
            ReadResult read = await input.ReadAsync(cancellationToken).ConfigureAwait(false);
            ReadOnlySequence<byte> buffer = read.Buffer;
            FrameReading reading = ChannelFrames.TryRead(ref buffer, out ChannelMessage? message);
            if (reading == FrameReading.Read)
            {
                return new FirstMessage(message!, read.Buffer.Start, buffer.Start);
            }

            input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            if (reading == FrameReading.Invalid || read.IsCompleted)
            {
                return null;
            }
        }
    }

    private readonly record struct FirstMessage(ChannelMessage Message, SequencePosition Begin, SequencePosition End);
}
