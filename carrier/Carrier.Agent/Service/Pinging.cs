using Carrier.Agent.Control;
using Carrier.Agent.Network;
using Carrier.Core.Identity;

namespace Carrier.Agent.Service;

/// <summary>Dials a peer and measures round trips on the session.</summary>
internal sealed class Pinging(INetwork network, TimeProvider time)
{
    /// <summary>The protocol of a session that carries nothing but pings.</summary>
    public const string Protocol = "carrier/ping/1";

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>Answers: keeps the session until the asker ends it. The pongs are the session's own.</summary>
    public static async Task AnswerAsync(IPeerSession session, CancellationToken cancellationToken)
    {
        while (await session.AcceptStreamAsync(cancellationToken).ConfigureAwait(false) is { } stream)
        {
            // A ping session has no streams; whoever opens one gets nothing from it.
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
            var trips = new List<double>();
            int sent = 0;
            while (true)
            {
                sent++;
                TimeSpan? trip = await TryPingAsync(session, cancellationToken).ConfigureAwait(false);
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

    private async Task<TimeSpan?> TryPingAsync(IPeerSession session, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(Patience, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            return await session.PingAsync(linked.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }
}
