using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Carrier.Agent.Control;
using Carrier.Agent.Network;
using Carrier.Agent.State;
using Carrier.Agent.Transfer;
using Carrier.Core.Identity;

namespace Carrier.Agent.Service;

/// <summary>Sends a file, a folder or a stream to a peer, and goes on where it was when the session breaks.</summary>
internal sealed class Sending(INetwork network, TimeProvider time)
{
    /// <summary>How long a broken transfer is tried again without a byte of progress.</summary>
    private static readonly TimeSpan RetryFor = TimeSpan.FromMinutes(2);

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(10);

    public async Task RunAsync(TrustId peer, SendRequest request, IConversation conversation, CancellationToken cancellationToken)
    {
        TransferSource source = await OpenAsync(request, conversation, cancellationToken).ConfigureAwait(false);
        var ticker = new ProgressTicker(conversation, time);
        Attempt last;
        await using (ticker.ConfigureAwait(false))
        {
            last = await TryUntilDoneAsync(peer, source, ticker, conversation, cancellationToken).ConfigureAwait(false);
        }

        if (last.Outcome.IsDone)
        {
            await conversation.SayAsync(Report(source, last), cancellationToken).ConfigureAwait(false);
            return;
        }

        cancellationToken.ThrowIfCancellationRequested();
        throw Failure(last.Outcome, source);
    }

    private static async Task<TransferSource> OpenAsync(SendRequest request, IConversation conversation, CancellationToken cancellationToken)
    {
        if (request.Path is null)
        {
            return StreamSource.TryCreate(request.Name ?? "stdin", conversation.Input, DateTimeOffset.UtcNow, out StreamSource? stream)
                ? stream!
                : throw new AgentException(ExitCode.Usage, "No receiver would take a file of that name: choose another with --name.");
        }

        try
        {
            OfferReading reading = FileSource.TryScan(request.Path, out FileSource? source, out string? offending);
            if (reading == OfferReading.Read && source!.Offer.Encode() is not null)
            {
                if (source.SkippedLinks > 0)
                {
                    string note = $"Symbolic links are not sent ({source.SkippedLinks} left out): send what they point to by itself if it is wanted.";
                    await conversation.SayAsync(new NoteReply(note), cancellationToken).ConfigureAwait(false);
                }

                return source;
            }

            throw reading == OfferReading.UnsafePath
                ? new AgentException(
                    ExitCode.Usage, $"'{offending}' is a name some systems cannot hold: rename it, or pack the folder (tar c … | carrier send - …).")
                : new AgentException(
                    ExitCode.Usage, $"That is more than one transfer holds ({TransferLimits.MaxEntries:N0} entries): pack it (tar c … | carrier send - …).");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new AgentException(ExitCode.Usage, $"'{request.Path}' cannot be read: {e.Message}", e);
        }
    }

    private async Task<Attempt> TryUntilDoneAsync(
        TrustId peer, TransferSource source, ProgressTicker ticker, IConversation conversation, CancellationToken cancellationToken)
    {
        long begun = time.GetTimestamp();
        Attempt attempt = await TryOnceAsync(peer, source, ticker, cancellationToken).ConfigureAwait(false);
        long firstByteAt = attempt.Outcome.FirstByteAt;
        TimeSpan pause = FirstPause;
        long progressAt = time.GetTimestamp();
        while (attempt.Outcome.Failure is FailureReason.Interrupted or FailureReason.Stalled
            && source.IsRepeatable && time.GetElapsedTime(progressAt) < RetryFor)
        {
            string note = $"The connection broke; trying again in {pause.TotalSeconds:0.#} s.";
            await conversation.SayAsync(new NoteReply(note), cancellationToken).ConfigureAwait(false);
            await Task.Delay(pause, time, cancellationToken).ConfigureAwait(false);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
            try
            {
                attempt = await TryOnceAsync(peer, source, ticker, cancellationToken).ConfigureAwait(false);
            }
            catch (NetworkException) when (time.GetElapsedTime(progressAt) < RetryFor)
            {
                continue; // it may be on its way back
            }

            firstByteAt = firstByteAt == 0 ? attempt.Outcome.FirstByteAt : firstByteAt;
            if (attempt.Outcome.BytesSent > 0)
            {
                pause = FirstPause;
                progressAt = time.GetTimestamp();
            }
        }

        return attempt with
        {
            FirstByteMs = time.GetElapsedTime(begun, firstByteAt).TotalMilliseconds,
            DirectMs = attempt.DirectAt == 0 ? null : time.GetElapsedTime(begun, attempt.DirectAt).TotalMilliseconds,
        };
    }

    private async Task<Attempt> TryOnceAsync(TrustId peer, TransferSource source, ProgressTicker ticker, CancellationToken cancellationToken)
    {
        IPeerSession session = await network.ConnectAsync(peer, TransferLimits.Protocol, cancellationToken).ConfigureAwait(false);
        await using (session.ConfigureAwait(false))
        {
            System.IO.Pipelines.IDuplexPipe stream = await session.OpenStreamAsync(cancellationToken).ConfigureAwait(false);
            long directAt = 0;
            var sender = new FileSender(source, time)
            {
                Progress = progress =>
                {
                    directAt = directAt == 0 && session.Path.Kind == PathReport.Direct ? time.GetTimestamp() : directAt;
                    ticker.Report(progress);
                },
            };
            SendOutcome outcome = await sender.RunAsync(stream, cancellationToken).ConfigureAwait(false);
            double seconds = time.GetElapsedTime(outcome.FirstByteAt).TotalSeconds;
            return new Attempt(outcome, session.Path, seconds, directAt);
        }
    }

    private static SentReply Report(TransferSource source, Attempt attempt)
    {
        SendOutcome outcome = attempt.Outcome;
        double rate = attempt.Seconds > 0 ? outcome.BytesSent / attempt.Seconds / 1e6 : 0;
        return new SentReply(
            Digest(source.Offer, outcome.Digests),
            attempt.Path.Kind,
            attempt.Path.Address,
            Math.Round(attempt.FirstByteMs, 1),
            attempt.DirectMs is { } directMs ? Math.Round(directMs, 1) : null,
            outcome.BytesSent + outcome.BytesResumed,
            outcome.BytesResumed,
            Math.Round(rate, 2));
    }

    private static string? Digest(Offer offer, IReadOnlyList<byte[]?> digests)
    {
        if (!offer.IsFolder)
        {
            return digests[0] is { } digest ? Convert.ToHexStringLower(digest) : null;
        }

        using var listing = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (int i = 0; i < digests.Count; i++)
        {
            if (digests[i] is { } digest)
            {
                listing.AppendData(Encoding.UTF8.GetBytes($"{Convert.ToHexStringLower(digest)}  {offer.Entries[i].Path.Text}\n"));
            }
        }

        return Convert.ToHexStringLower(listing.GetHashAndReset());
    }

    private static AgentException Failure(SendOutcome outcome, TransferSource source)
    {
        if (outcome.Refusal is { } refusal)
        {
            return new AgentException(ExitCode.Refused, refusal switch
            {
                RefusalReason.NotAllowed => "The receiver does not accept files from you: ask its owner to run carrier allow with your TrustID (carrier id).",
                RefusalReason.Declined => "The receiver was asked and declined.",
                RefusalReason.NoSpace => "The receiver's disk has no room for it.",
                RefusalReason.Busy => "The receiver takes too many transfers already: try again later.",
                RefusalReason.UnknownVersion => "The receiver speaks another version of file transfer: update the older of the two.",
                _ => string.Create(CultureInfo.InvariantCulture, $"The receiver refused the offer ({refusal})."),
            });
        }

        string again = source.IsRepeatable ? " Run the same command again to go on where it stopped." : string.Empty;
        return outcome.Failure switch
        {
            FailureReason.DiskFull => new AgentException(ExitCode.Interrupted, "The receiver's disk is full; what arrived is kept." + again),
            FailureReason.DiskError => new AgentException(ExitCode.Interrupted, "The receiver could not write to its disk." + again),
            FailureReason.Mismatch => new AgentException(ExitCode.Failure, "The data arrived damaged twice: check the memory and disk of both machines."),
            FailureReason.SourceChanged => new AgentException(ExitCode.Failure, "The data changed or ended while it was sent: send it again once it rests."),
            FailureReason.TooLarge => new AgentException(ExitCode.Refused, "The stream outgrew what the receiver takes."),
            FailureReason.Superseded => new AgentException(ExitCode.Failure, "The same transfer was begun by another command, which goes on with it."),
            FailureReason.Cancelled => new AgentException(ExitCode.Interrupted, "The receiver stopped it." + again),
            FailureReason.Violation => new AgentException(ExitCode.Failure, "The receiver broke the protocol: update the older of the two."),
            _ => new AgentException(ExitCode.Interrupted, "The connection broke and did not come back." + again),
        };
    }

    private sealed record Attempt(SendOutcome Outcome, PathReport Path, double Seconds, long DirectAt, double FirstByteMs = 0, double? DirectMs = null);
}
