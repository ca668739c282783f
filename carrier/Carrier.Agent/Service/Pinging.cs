using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using Carrier.Agent.Control;
using Carrier.Agent.Network;
using Carrier.Core.Identity;

namespace Carrier.Agent.Service;

/// <summary>Dials a peer and measures round trips over a stream: what an application would see, not the best the path can do.</summary>
internal sealed class Pinging(INetwork network, TimeProvider time)
{
    /// <summary>The protocol of a session that carries nothing but pings: four bytes each, and the same four back.</summary>
    public const string Protocol = "carrier/ping/1";

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>Answers: every byte of every stream goes back, one stream behind the other, until the asker ends the session.</summary>
    public static async Task AnswerAsync(IPeerSession session, CancellationToken cancellationToken)
    {
        while (await session.AcceptStreamAsync(cancellationToken).ConfigureAwait(false) is { } stream)
        {
            try
            {
                await stream.Input.CopyToAsync(stream.Output, cancellationToken).ConfigureAwait(false);
            }
            catch (IOException)
            {
                // The session ended in the middle of a ping: so does this.
            }

            await stream.Output.CompleteAsync().ConfigureAwait(false);
            await stream.Input.CompleteAsync().ConfigureAwait(false);
        }
    }

    /// <param name="count">How many; zero for as long as the command runs.</param>
    public async Task RunAsync(TrustId peer, int count, IConversation conversation, CancellationToken cancellationToken)
    {
        long begun = time.GetTimestamp();
        IPeerSession session = await network.ConnectAsync(peer, Protocol, cancellationToken).ConfigureAwait(false);
        double dialMs = time.GetElapsedTime(begun).TotalMilliseconds;
        await using (session.ConfigureAwait(false))
        {
            IDuplexPipe stream = await session.OpenStreamAsync(cancellationToken).ConfigureAwait(false);
            var trips = new List<double>();
            int sent = 0;
            while (true)
            {
                sent++;
                TimeSpan? trip = await TryPingAsync(stream, sent, cancellationToken).ConfigureAwait(false);
                if (trip is { TotalMilliseconds: var ms })
                {
                    trips.Add(ms);
                    PathReport path = session.Path;
                    await conversation.SayAsync(new PingReply(sent, path.Kind, path.Address, Round(ms), Round(dialMs)), cancellationToken)
                        .ConfigureAwait(false);
                }
                else
                {
                    await conversation.SayAsync(new NoteReply($"ping {sent}: no answer within {Patience.TotalSeconds:0} s"), cancellationToken)
                        .ConfigureAwait(false);
                }

                if (sent == count)
                {
                    break;
                }

                await Task.Delay(Interval, time, cancellationToken).ConfigureAwait(false);
            }

            if (trips.Count == 0)
            {
                throw new NetworkException(NetworkFailure.Unreachable, "The session was made, but no ping was answered: try again.");
            }

            if (sent > 1)
            {
                var summary = new PingSummaryReply(sent, trips.Count, Round(trips.Min()), Round(trips.Average()), Round(trips.Max()));
                await conversation.SayAsync(summary, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static double Round(double ms) => Math.Round(ms, 3);

    /// <summary>One round trip; null when it took too long. An answer to an earlier ping that comes late is read over.</summary>
    private async Task<TimeSpan?> TryPingAsync(IDuplexPipe stream, int number, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(Patience, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        byte[] message = new byte[sizeof(int)];
        BinaryPrimitives.WriteInt32BigEndian(message, number);
        long begun = time.GetTimestamp();
        try
        {
            await stream.Output.WriteAsync(message, linked.Token).ConfigureAwait(false);
            while (true)
            {
                ReadResult result = await stream.Input.ReadAtLeastAsync(message.Length, linked.Token).ConfigureAwait(false);
                if (result.Buffer.Length < message.Length)
                {
                    throw new NetworkException(NetworkFailure.Ended, "The peer ended the session: run the command again.");
                }

                result.Buffer.Slice(0, message.Length).CopyTo(message);
                stream.Input.AdvanceTo(result.Buffer.GetPosition(message.Length));
                if (BinaryPrimitives.ReadInt32BigEndian(message) == number)
                {
                    return time.GetElapsedTime(begun);
                }
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
        catch (IOException e)
        {
            throw new NetworkException(NetworkFailure.Ended, "The session ended: run the command again.", e);
        }
    }
}
